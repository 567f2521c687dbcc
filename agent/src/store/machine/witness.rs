//! Two rows that commits write in turn: the witnesses of the meta row.
//!
//! The engine's journal has no checksum over a commit's number. Rot that makes the number larger
//! puts an old commit above all later ones: its meta row is believed, and so is each of its
//! records. The witness of the turn in between tells of a later commit, and the replica is damaged.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::MachineError;
use super::rows::{self, WITNESSES};
use crate::store::engine::View;

/// What a commit says of itself and of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    /// The last index that it applied.
    at: u64,
    /// The last index that the commit before applied.
    before: Option<u64>,
}

/// What the next commit has to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Witness {
    last: Option<u64>,
    turn: u8,
}

fn key(turn: u8) -> Bytes {
    Bytes::copy_from_slice(&[WITNESSES, turn])
}

impl Witness {
    /// Compares the witnesses with the index of the meta row. A tree of the first builds has none.
    pub(super) fn of(view: &dyn View, applied: Option<u64>) -> Result<Self, MachineError> {
        let row = |turn| -> Result<Option<Row>, MachineError> {
            view.get(&key(turn))?.map(|row| rows::decode("a witness row", &row)).transpose()
        };
        let both = [row(0)?, row(1)?];
        let at = |turn: usize| both[turn].map(|row| row.at);
        let newest = usize::from(at(1) > at(0));
        let Some(last) = both[newest] else { return Ok(Self::default()) };
        if applied != Some(last.at) || at(1 - newest) != last.before {
            let shown = |at: Option<u64>| at.map_or("nothing".to_owned(), |at| at.to_string());
            let what = format!(
                "the meta row: it is of index {}, its witnesses of {} and {}",
                shown(applied),
                shown(at(0)),
                shown(at(1)),
            );
            return Err(MachineError::Malformed { what });
        }
        Ok(Self { last: applied, turn: u8::from(newest == 0) })
    }

    /// The row of a commit that has applied up to an index.
    pub(super) fn next(&mut self, at: u64) -> Option<(Bytes, Bytes)> {
        if self.last == Some(at) {
            return None;
        }
        let row = (key(self.turn), rows::encode(&Row { at, before: self.last }));
        (self.last, self.turn) = (Some(at), 1 - self.turn);
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::memory::MemoryEngine;
    use crate::store::engine::{Changes, Engine};

    fn view(rows: &[(Bytes, Bytes)]) -> std::sync::Arc<dyn View> {
        let tree = MemoryEngine::new().open("t").unwrap();
        let changes: Changes = rows.iter().cloned().map(|(key, row)| (key, Some(row))).collect();
        tree.commit(changes).unwrap();
        tree.view()
    }

    #[test]
    fn an_old_commit_above_the_later_ones_is_noticed() {
        let mut witness = Witness::default();
        let ends: Vec<u64> = vec![0, 3, 4, 9, 10, 11];
        let mut written = Vec::new();
        for end in &ends {
            let row = witness.next(*end).unwrap();
            written.push(row.clone());
            assert_eq!(witness.next(*end), None, "the same index again says nothing new");
            let seen = Witness::of(&*view(&written), Some(*end)).unwrap();
            assert_eq!(seen, witness, "what is read goes on as what was written");
        }
        for (old, end) in ends.iter().enumerate().take(ends.len() - 1) {
            let mut rotten = written.clone();
            rotten.push(written[old].clone());
            let found = Witness::of(&*view(&rotten), Some(*end));
            assert!(
                matches!(found, Err(MachineError::Malformed { .. })),
                "commit {old}: {found:?}"
            );
        }
    }

    #[test]
    fn a_tree_without_witnesses_is_believed_and_gets_them() {
        let mut witness = Witness::of(&*view(&[]), Some(40)).unwrap();
        let rows: Vec<_> = [41, 42].map(|at| witness.next(at).unwrap()).into();
        assert_eq!(Witness::of(&*view(&rows[..1]), Some(41)).unwrap().last, Some(41));
        assert_eq!(Witness::of(&*view(&rows), Some(42)).unwrap(), witness);
        assert!(Witness::of(&*view(&rows[1..]), Some(42)).is_err(), "one of the two is gone");
    }
}
