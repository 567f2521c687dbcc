//! What one action does to one record.

use bytes::Bytes;
use evenkeel_shared::command::{Expected, OperationResult, Record, WriteAction};
use evenkeel_shared::version::Version;

use super::super::MachineError;
use super::super::rows;
use super::{Applier, is_expired};

impl Applier<'_> {
    pub(super) fn write(
        &mut self,
        row: &Bytes,
        action: WriteAction,
        version: Version,
    ) -> Result<OperationResult, MachineError> {
        let hlc = self.state.meta.hlc;
        // A look costs more than all the rest of a put. Where no record ends, none needs one for the
        // row that says when.
        let blind = matches!(action, WriteAction::PutBlind { .. });
        let looks = !blind || self.state.expiry_first.is_some();
        let before = if looks { self.get(row)? } else { None };
        let before = before.map(|row| rows::decode_record(&row)).transpose()?;
        let living = before.as_ref().filter(|record| !is_expired(record, hlc));
        let existed = living.is_some();
        let after = match action {
            WriteAction::Put { value, expires } => Some(Record { value, version, hlc, expires }),
            WriteAction::PutBlind { value, expires } => {
                let record = Record { value, version, hlc, expires };
                self.replace(row, before.as_ref(), Some(&record));
                return Ok(OperationResult::Written { version });
            }
            WriteAction::Delete => None,
            WriteAction::CompareAndDelete { expected } => {
                if !holds(&expected, living) {
                    let actual = living.map(|record| record.version);
                    return Ok(OperationResult::ConditionFailed { actual });
                }
                None
            }
            WriteAction::Rename { to, replace } => {
                let moved = living.map(|record| Record { version, hlc, ..record.clone() });
                let Some(moved) = moved else {
                    return Ok(OperationResult::ConditionFailed { actual: None });
                };
                return self.rename((row, before.as_ref()), &to, &moved, replace);
            }
            WriteAction::CompareAndSet { expected, value, expires } => {
                if !holds(&expected, living) {
                    let actual = living.map(|record| record.version);
                    return Ok(OperationResult::ConditionFailed { actual });
                }
                Some(Record { value, version, hlc, expires })
            }
            WriteAction::Add { by } => {
                let Some(sum) = count(living).and_then(|number| number.checked_add(by)) else {
                    return Ok(OperationResult::NotANumber);
                };
                let expires = living.and_then(|record| record.expires);
                let record = Record { value: sum.to_string().into(), version, hlc, expires };
                self.replace(row, before.as_ref(), Some(&record));
                return Ok(OperationResult::Counted { version, value: sum });
            }
        };
        self.replace(row, before.as_ref(), after.as_ref());
        Ok(OperationResult::Done { version, existed })
    }

    /// Puts a record under another key of its slot.
    fn rename(
        &mut self,
        (row, before): (&Bytes, Option<&Record>),
        to: &[u8],
        moved: &Record,
        replace: bool,
    ) -> Result<OperationResult, MachineError> {
        let target = rows::data_key_beside(row, to);
        let there = self.get(&target)?.map(|row| rows::decode_record(&row)).transpose()?;
        let living = there.as_ref().filter(|record| !is_expired(record, moved.hlc));
        if let Some(record) = living.filter(|_| !replace) {
            return Ok(OperationResult::ConditionFailed { actual: Some(record.version) });
        }
        let existed = living.is_some();
        if target != row {
            self.replace(row, before, None);
            self.replace(&target, there.as_ref(), Some(moved));
        }
        Ok(OperationResult::Done { version: moved.version, existed })
    }

    /// Changes a data row and, with it, the rows that say when its record ends.
    pub(super) fn replace(&mut self, row: &Bytes, before: Option<&Record>, after: Option<&Record>) {
        if let Some(expires) = before.and_then(|record| record.expires) {
            self.remove(rows::expiry_key(expires, row));
        }
        if let Some(expires) = after.and_then(|record| record.expires) {
            self.set(rows::expiry_key(expires, row), Bytes::new());
            self.state.note_expiry(expires);
        }
        match after {
            Some(record) => self.set(row.clone(), rows::encode_record(record)),
            None if before.is_some() => self.remove(row.clone()),
            None => {}
        }
    }
}

/// What a counter shows; an absent one shows 0.
fn count(record: Option<&Record>) -> Option<i64> {
    let Some(record) = record else { return Some(0) };
    std::str::from_utf8(&record.value).ok()?.parse().ok()
}

fn holds(expected: &Expected, actual: Option<&Record>) -> bool {
    match expected {
        Expected::Absent => actual.is_none(),
        Expected::Value(value) => actual.is_some_and(|record| record.value == value),
        Expected::Version(version) => actual.is_some_and(|record| record.version == *version),
    }
}
