//! What may happen to a valid input: edits that proptest draws, and shrinks when one has failed.
//!
//! It knows no format but how lengths are written: extreme ones take the place of what is there.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Longest run of bytes that one edit inserts or repeats.
const RUN_BYTES_MAX: usize = 4_096;
/// Longest input, so that edits that repeat don't add up.
const INPUT_BYTES_MAX: usize = 2 << 20;

/// Which input is taken, and what is done to it.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// One of the corpus.
    pub input: Index,
    /// In order.
    pub edits: Vec<Edit>,
}

/// One thing that is done to an input.
#[derive(Clone, Debug)]
pub enum Edit {
    /// One bit changes.
    Flip(Index, u8),
    /// One byte changes.
    Set(Index, u8),
    /// A number that stood here is an extreme one.
    Extreme(Index, usize),
    /// Bytes come in between.
    Insert(Index, Vec<u8>),
    /// Bytes are left out.
    Remove(Index, usize),
    /// All from here on is gone.
    Truncate(Index),
    /// Bytes stand once more elsewhere.
    Repeat(Index, usize, Index),
    /// Bytes are written over others.
    Overwrite(Index, usize, Index),
    /// From here on it is another input of the corpus.
    Splice(Index, Index, Index),
}

/// Extreme numbers in the encodings that are in use: variable length, little endian, text.
const EXTREMES: [&[u8]; 16] = [
    &[0],
    &[0x7f],
    &[0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x10],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff; 4],
    &[0xff; 8],
    b"-1",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551616",
];

/// Draws recipes.
pub fn recipes() -> impl Strategy<Value = Recipe> {
    let at = any::<Index>;
    let edit = prop_oneof![
        3 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        6 => (at(), 0..EXTREMES.len()).prop_map(|(at, which)| Edit::Extreme(at, which)),
        2 => (at(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (at(), 1..32_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => at().prop_map(Edit::Truncate),
        2 => (at(), 1..RUN_BYTES_MAX, at()).prop_map(|(a, b, c)| Edit::Repeat(a, b, c)),
        2 => (at(), 1..RUN_BYTES_MAX, at()).prop_map(|(a, b, c)| Edit::Overwrite(a, b, c)),
        1 => (at(), at(), at()).prop_map(|(a, b, c)| Edit::Splice(a, b, c)),
    ];
    (at(), vec(edit, 1..6)).prop_map(|(input, edits)| Recipe { input, edits })
}

impl Recipe {
    /// The mutated input.
    pub fn apply(&self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.input.index(corpus.len())].clone();
        for edit in &self.edits {
            edit.apply(&mut bytes, corpus);
            bytes.truncate(INPUT_BYTES_MAX);
        }
        bytes
    }
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let length = bytes.len();
        // A place in the input, or right behind it.
        let place = |at: &Index| at.index(length + 1);
        let run = |at: &Index, run: usize| place(at)..(place(at) + run).min(length);
        match self {
            Self::Flip(at, bit) if length > 0 => bytes[at.index(length)] ^= 1 << bit,
            Self::Set(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
            Self::Flip(..) | Self::Set(..) => {}
            Self::Extreme(at, which) => {
                let extreme = EXTREMES[*which];
                // As often in the place of as many bytes as of one: its width may have been either.
                let wide = if at.index(2) == 0 { extreme.len() } else { 1 };
                bytes.splice(run(at, wide), extreme.iter().copied());
            }
            Self::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, some) => drop(bytes.drain(run(at, *some))),
            Self::Truncate(at) => bytes.truncate(place(at)),
            Self::Repeat(from, some, to) => {
                let (again, to) = (bytes[run(from, *some)].to_vec(), place(to));
                bytes.splice(to..to, again);
            }
            Self::Overwrite(from, some, to) => {
                let (again, to) = (bytes[run(from, *some)].to_vec(), place(to));
                let end = (to + again.len()).min(length);
                bytes.splice(to..end, again);
            }
            Self::Splice(at, other, from) => {
                let other = &corpus[other.index(corpus.len())];
                bytes.truncate(place(at));
                bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}
