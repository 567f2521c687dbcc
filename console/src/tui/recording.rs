//! Recordings: a file of seconds, each checksummed, that can be looked at like the past in memory.
//!
//! A recording that ends in the middle of a second, because its console was killed, or is damaged
//! there, is whole up to there. Format 2: the line `evenkeel recording 2`, then for each second its
//! length and the CRC-32 of its bytes (both 32 bit, little-endian) and the bytes, in which parts are
//! packed by LZ4.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use evenkeel_shared::event::Event;
use evenkeel_shared::wire::codec::{decode, encode};
use serde::{Deserialize, Serialize};

use super::model::history::{History, Moment};
use super::model::journal::Journal;

const FIRST_LINE: &str = "evenkeel recording 2";
/// How those of earlier versions begin, whose parts are not packed.
const EARLIER: &[u8] = b"evenkeel recording 1\n";
/// No second is longer: a length beyond it is damage.
const SECOND_MAX: u32 = 256 << 20;

/// A second of a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    pub(crate) moment: Moment,
    pub(crate) events: Vec<Event>,
}

impl Eq for Second {}

/// A recording that was read.
pub struct Recording {
    pub(crate) history: History,
    pub(crate) journal: Journal,
    /// Whether it ends in the middle of a second, or is damaged there.
    pub cut_short: bool,
}

/// Writes the first line.
pub fn begin(file: &mut impl Write) -> io::Result<()> {
    writeln!(file, "{FIRST_LINE}")?;
    file.flush()
}

/// Adds a second.
pub fn write(file: &mut impl Write, second: &Second) -> io::Result<()> {
    let bytes = encode(second)?;
    let length = u32::try_from(bytes.len()).map_err(|_| damaged("a second is too large"))?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&crc32fast::hash(&bytes).to_le_bytes())?;
    file.write_all(&bytes)?;
    file.flush()
}

/// Reads a recording to its end, or to where it was cut short.
pub fn read(file: impl Read) -> io::Result<Recording> {
    let mut file = BufReader::new(file);
    let mut first = Vec::new();
    file.by_ref().take(64).read_until(b'\n', &mut first)?;
    if first == EARLIER {
        return Err(damaged("it was made by an earlier evenkeel, which alone can play it"));
    }
    if first != format!("{FIRST_LINE}\n").into_bytes() {
        let hint = format!("it does not begin with \"{FIRST_LINE}\": make one with --record FILE");
        return Err(damaged(&hint));
    }
    let mut recording =
        Recording { history: History::recorded(), journal: Journal::unbounded(), cut_short: false };
    loop {
        match second(&mut file) {
            Ok(Some(second)) => {
                for event in second.events {
                    recording.journal.add(event);
                }
                recording.history.add(second.moment);
            }
            Ok(None) => break,
            // Whatever follows a second that is not whole can't be told from rubbish.
            Err(error)
                if recording.history.span().is_some()
                    || error.kind() == ErrorKind::UnexpectedEof =>
            {
                recording.cut_short = true;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    if recording.history.span().is_none() {
        return Err(damaged("there is not one second in it"));
    }
    Ok(recording)
}

fn second(file: &mut impl BufRead) -> io::Result<Option<Second>> {
    if file.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let (mut length, mut sum) = ([0; 4], [0; 4]);
    file.read_exact(&mut length)?;
    file.read_exact(&mut sum)?;
    let length = u32::from_le_bytes(length);
    if length > SECOND_MAX {
        return Err(damaged("a second has an impossible length"));
    }
    let mut bytes = Vec::new();
    let read = file.take(u64::from(length)).read_to_end(&mut bytes)?;
    if u32::try_from(read) != Ok(length) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    if crc32fast::hash(&bytes) != u32::from_le_bytes(sum) {
        return Err(damaged("a second does not fit its checksum"));
    }
    decode(&bytes).map(Some)
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("this is no whole recording: {why}"))
}
