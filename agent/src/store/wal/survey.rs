//! Which files of the log's folder are in use, which are spare, and which have lost their header.
//!
//! Invariant: a file to which batches were written is never taken for a spare one.

use std::io;
use std::path::Path;

use crate::env::fs::Disk;

use super::WalConfig;
use super::segment::{
    RESERVE_NAME, Segment, SegmentHeader, create_zeroed, file_name, file_number, open, read_image,
};

/// The files of the log's folder.
#[derive(Default)]
pub(super) struct Survey {
    /// Segments in use, oldest first.
    pub(super) used: Vec<(Segment, SegmentHeader)>,
    /// Files that may be used again.
    pub(super) spares: Vec<String>,
    /// Segments whose header is gone although batches were written to them.
    pub(super) headless: Vec<u32>,
    /// The highest running number that any file bears.
    pub(super) newest: u32,
    /// A number above every file's.
    pub(super) next_file: u64,
}

/// Looks at every file's header.
pub(super) fn survey(disk: &dyn Disk, folder: &Path) -> io::Result<Survey> {
    let mut survey = Survey { next_file: 1, ..Survey::default() };
    for name in disk.list(folder)? {
        let Some(number) = file_number(&name) else { continue };
        survey.next_file = survey.next_file.max(number + 1);
        let mut segment = open(disk, folder, &name, 0)?;
        if segment.blocks == 0 {
            survey.spares.push(name);
            continue;
        }
        let front = read_image(&Segment { blocks: 1, ..segment.clone() });
        let header = front.ok().as_ref().and_then(SegmentHeader::find);
        // Without a header only the stamps tell whether the file was ever in use.
        let stamped = match header {
            Some(_) => 0,
            None => read_image(&segment)?.newest_generation(),
        };
        survey.newest = survey.newest.max(stamped);
        match header {
            Some(header) if header.open => {
                survey.newest = survey.newest.max(header.generation);
                segment.generation = header.generation;
                survey.used.push((segment, header));
            }
            Some(header) => {
                survey.newest = survey.newest.max(header.generation);
                survey.spares.push(name);
            }
            None if stamped == 0 => survey.spares.push(name),
            // Its file is left as it is: an operator may want to look at it.
            None => survey.headless.push(stamped),
        }
    }
    survey.used.sort_by_key(|(_, header)| header.generation);
    Ok(survey)
}

/// A prepared segment: a spare file, a new one, or on a full disk the reserve.
pub(super) fn take_spare(
    disk: &dyn Disk,
    folder: &Path,
    config: &WalConfig,
    survey: &mut Survey,
    generation: u32,
) -> io::Result<Segment> {
    let bytes = config.segment_bytes();
    while let Some(name) = survey.spares.pop() {
        let segment = open(disk, folder, &name, generation)?;
        if (segment.blocks * super::sector::BLOCK_BYTES) as u64 == bytes {
            segment.prepare()?;
            return Ok(segment);
        }
        disk.remove(&folder.join(&name))?;
        disk.sync_dir(folder)?;
    }
    let name = file_name(survey.next_file);
    survey.next_file += 1;
    let path = folder.join(&name);
    if let Err(full) = create_zeroed(disk, &path, bytes) {
        if full.kind() != io::ErrorKind::StorageFull {
            return Err(full);
        }
        disk.rename(&folder.join(RESERVE_NAME), &path).map_err(|_| full)?;
        disk.sync_dir(folder)?;
    }
    let segment = open(disk, folder, &name, generation)?;
    segment.prepare()?;
    Ok(segment)
}
