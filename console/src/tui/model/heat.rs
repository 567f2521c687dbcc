//! How much work each shard had, over the last quarter of an hour: a byte a shard and four seconds.

use std::collections::VecDeque;
use std::sync::Arc;

use evenkeel_shared::ids::ShardId;
use evenkeel_shared::view::ShardView;

use crate::tui::number;

/// Milliseconds of one column.
pub(crate) const COLUMN_MS: u64 = 4_000;
/// Columns that are kept: sixteen minutes.
pub(crate) const COLUMNS_MAX: usize = 240;
/// Levels to a doubling: finer could not be told apart.
const PER_DOUBLING: f64 = 8.0;

/// Each shard's load over time; 0 is not known, 1 is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heat {
    columns: VecDeque<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    slot: u64,
    ids: Arc<Vec<ShardId>>,
    levels: Vec<u8>,
}

impl Heat {
    /// Takes what the shards do now; of a column the highest counts.
    pub(crate) fn add(&mut self, at: u64, shards: &[ShardView]) {
        let slot = at / COLUMN_MS;
        let same = |ids: &[ShardId]| {
            ids.len() == shards.len() && ids.iter().zip(shards).all(|(id, shard)| *id == shard.id)
        };
        let levels = shards.iter().map(|shard| level(shard.ops_s));
        match self.columns.back_mut() {
            Some(last) if last.slot == slot && same(&last.ids) => {
                for (known, new) in last.levels.iter_mut().zip(levels) {
                    *known = (*known).max(new);
                }
            }
            last => {
                let ids = match last.filter(|last| same(&last.ids)) {
                    Some(last) => last.ids.clone(),
                    None => Arc::new(shards.iter().map(|shard| shard.id).collect()),
                };
                self.columns.push_back(Column { slot, ids, levels: levels.collect() });
            }
        }
        while self.columns.len() > COLUMNS_MAX {
            self.columns.pop_front();
        }
    }

    /// The levels of some shards over the last `width` columns up to a time, each the highest of the
    /// shards in its row.
    pub(crate) fn rows(&self, rows: &[Vec<ShardId>], width: usize, at: u64) -> Vec<Vec<u8>> {
        let last = at / COLUMN_MS;
        let first = last.saturating_sub(width.saturating_sub(1) as u64);
        let mut grid = vec![vec![0; width]; rows.len()];
        for column in self.columns.iter().filter(|column| (first..=last).contains(&column.slot)) {
            let Ok(x) = usize::try_from(column.slot - first) else { continue };
            for (row, shards) in grid.iter_mut().zip(rows) {
                let levels = shards.iter().filter_map(|shard| {
                    let place = column.ids.binary_search(shard).ok()?;
                    column.levels.get(place).copied()
                });
                row[x] = row[x].max(levels.max().unwrap_or(0));
            }
        }
        grid
    }
}

/// A load as a level: its logarithm, so that quiet shards are told apart as busy ones are.
fn level(ops_s: Option<f64>) -> u8 {
    let Some(ops) = ops_s.filter(|ops| ops.is_finite() && *ops >= 0.0) else { return 0 };
    let level = 1 + number::count((1.0 + ops).log2() * PER_DOUBLING);
    u8::try_from(level).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_with_the_load_and_unknown_is_not_none() {
        let levels = [None, Some(0.0), Some(3.0), Some(100.0), Some(50_000.0)].map(level);
        assert!(levels.is_sorted_by(|a, b| a < b), "{levels:?}");
        assert_eq!((levels[0], levels[1]), (0, 1));
    }
}
