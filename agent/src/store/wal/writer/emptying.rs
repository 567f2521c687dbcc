//! The writer's steps while it empties the oldest segment.
//!
//! Invariant: each step is one batch at most, so that whoever waits for a sync waits little.

use std::io;

use super::super::record::{Kind, Record};
use super::super::recycle::{self, Recycling};
use super::super::segment::Location;
use super::{Item, Writer};

impl Writer {
    /// One step of emptying the oldest segment.
    pub(super) async fn recycle(&mut self) -> io::Result<()> {
        match self.recycling {
            Recycling::Idle => {
                let (due, bare) = {
                    let config = &self.shared.config;
                    let state = self.shared.state();
                    let due = recycle::due(&state, config.segment_bytes(), config.bytes_max);
                    (due, due.map(|_| recycle::bare(&state)).unwrap_or_default())
                };
                if let Some(generation) = due.filter(|due| *due != self.segment.generation) {
                    self.recycling = Recycling::Copying { generation };
                    if !bare.is_empty() {
                        self.copy(generation, bare).await?;
                    }
                }
            }
            Recycling::Copying { generation } => {
                let (live, until) = {
                    let state = self.shared.state();
                    (recycle::live(&state, generation), state.enqueued)
                };
                if live.is_empty() {
                    self.recycling = Recycling::Draining { generation, until };
                } else {
                    self.copy(generation, live).await?;
                }
            }
            Recycling::Draining { generation, until } => {
                if self.shared.state().synced >= until {
                    self.recycling = Recycling::Announcing { generation };
                }
            }
            Recycling::Announcing { generation } => self.release(generation).await?,
        }
        Ok(())
    }

    async fn copy(&mut self, generation: u32, live: Vec<recycle::Live>) -> io::Result<()> {
        let segment = {
            let state = self.shared.state();
            state.segments.get(&generation).map(|held| held.segment.clone())
        };
        let Some(segment) = segment else { return Ok(()) };
        let mut copies = Vec::with_capacity(live.len());
        for live in live {
            match recycle::payload(&segment, &live) {
                Some(payload) => copies.push((live.record, live.from, payload, 0)),
                None => copies.extend(self.damaged(live.record)),
            }
        }
        let items: Vec<_> = copies
            .iter()
            .map(|(record, from, payload, serial)| Item {
                record: *record,
                payload,
                serial: *serial,
                from: *from,
            })
            .collect();
        self.batch(&items).await
    }

    /// A live record can't be read: the replica goes out of service, and the log says so.
    fn damaged(&self, record: Record) -> Option<(Record, Option<Location>, Vec<u8>, u64)> {
        let reason = format!("entry {} of its log can't be read back", record.index);
        let mut state = self.shared.state();
        let serial = state.quarantine(&record.key, &reason)?;
        let mark = Record { kind: Kind::Quarantine, key: record.key, term: 0, index: 0 };
        Some((mark, None, reason.into_bytes(), serial))
    }

    /// Names the next segment as the oldest, and gives the file back once that is synced.
    async fn release(&mut self, generation: u32) -> io::Result<()> {
        let next = self.shared.state().segments.keys().nth(1).copied();
        self.oldest = next.expect("the segment in use is never recycled");
        self.batch(&[]).await?;
        let mut state = self.shared.state();
        if let Some(held) = state.segments.remove(&generation) {
            state.spares.push_back(held.segment.name);
        }
        drop(state);
        self.recycling = Recycling::Idle;
        // The batch that says so confirms the copies; nothing confirms it, and nothing needs to.
        self.unconfirmed = false;
        Ok(())
    }
}
