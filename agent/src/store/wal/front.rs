//! The front of a segment, header and table, written once more by a start.

use std::io;

use super::batch::Directory;
use super::sector::BLOCK_BYTES;
use super::segment::{Segment, SegmentHeader, compose_table};

/// Writes a table anew that was torn when its segment was opened, or has rotted since: once the
/// segments before it are used again, nothing else tells where each chain goes on.
pub(super) fn write_table_again(segment: &Segment, table: &Directory) -> io::Result<()> {
    tracing::info!(segment = segment.generation, "a segment's table is written anew");
    segment.write_stream(&compose_table(table), 0, 1)?;
    segment.file.sync_data()
}

/// Writes the newest segment's header and table again and syncs them: a process that ended right
/// after it had opened the segment leaves them to the page cache alone, and the fresh segment is
/// about to say that it follows this one.
pub(super) fn write_front_again(segment: &Segment, header: &SegmentHeader) -> io::Result<()> {
    // A header that counts more blocks than there are is rotten: it has no front to keep.
    if header.first_block() > segment.blocks {
        return Ok(());
    }
    let mut front = vec![0; header.first_block() * BLOCK_BYTES];
    // What can't be read is judged where the log is read back.
    if segment.file.read_exact_at(&mut front, 0).is_ok() {
        segment.file.write_all_at(&front, 0)?;
        segment.file.sync_data()?;
    }
    Ok(())
}
