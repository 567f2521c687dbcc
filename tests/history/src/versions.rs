//! The first judge: the version in each reply must agree with the order in time.
//!
//! A version names a log entry, and one entry may hold several writes of one key: so writes with
//! one version are right if none had ended before another began, and the entry's last one stays.

use std::collections::BTreeMap;

use bytes::Bytes;
use evenkeel_shared::version::Version;

use super::{Action, Condition, History, Operation, Outcome};

/// What is wrong, and with which operations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{broken}: {operation}{}", other.as_ref().map(|it| format!("; and {it}")).unwrap_or_default())]
pub struct Violation {
    /// The rule.
    pub broken: Broken,
    /// The operation that breaks it.
    pub operation: Box<Operation>,
    /// The one that it contradicts.
    pub other: Option<Box<Operation>>,
}

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The history itself can't be judged.
    #[error("one value was written by two operations")]
    NotUnique,
    /// Versions go back in time.
    #[error("a write's version is not above what was seen before it began")]
    WriteBehind,
    /// A read that shows less than an earlier reply did.
    #[error("stale read")]
    StaleRead,
    /// A record is gone that nobody can have deleted.
    #[error("lost write: nothing was found")]
    Lost,
    /// Two reads of one version differ.
    #[error("one version holds two values")]
    TwoValues,
    /// One write took effect at two places of the log.
    #[error("one write has two versions")]
    AppliedTwice,
    /// A value that nobody wrote.
    #[error("a value was found that nobody wrote")]
    Invented,
    /// A write that was called failed, or refused, or had not begun.
    #[error("a write has had an effect that it can't have had")]
    Impossible,
    /// Something came between a compare-and-set and what it compared with.
    #[error("a compare-and-set overwrote another write")]
    LostUpdate,
}

/// Judges a history by its versions.
pub fn check(history: &History) -> Result<(), Violation> {
    history.by_key().values().try_for_each(|operations| {
        let key = Key::new(operations)?;
        key.check_values()?;
        key.check_order()?;
        key.check_conditions()
    })
}

fn broken(broken: Broken, operation: &Operation, other: Option<&Operation>) -> Violation {
    let boxed = |it: &Operation| Box::new(it.clone());
    Violation { broken, operation: boxed(operation), other: other.map(boxed) }
}

/// The version at which an operation took effect, or which it saw.
fn version_of(operation: &Operation) -> Option<Version> {
    match &operation.outcome {
        Outcome::Written { version, .. } => Some(*version),
        Outcome::Found(found) => found.as_ref().map(|(_, version)| *version),
        Outcome::Mismatch { actual } => *actual,
        Outcome::Unknown | Outcome::Failed => None,
    }
}

/// One key's operations, and what they say together.
struct Key<'a> {
    operations: &'a [&'a Operation],
    /// Who wrote each value.
    writers: BTreeMap<&'a Bytes, &'a Operation>,
    /// The acknowledged writes at each version.
    writes: BTreeMap<Version, Vec<&'a Operation>>,
    /// The version of each value, by whoever told it first.
    versions: BTreeMap<&'a Bytes, (Version, &'a Operation)>,
}

impl<'a> Key<'a> {
    fn new(operations: &'a [&'a Operation]) -> Result<Self, Violation> {
        let mut key = Self {
            operations,
            writers: BTreeMap::new(),
            writes: BTreeMap::new(),
            versions: BTreeMap::new(),
        };
        for operation in operations {
            if let Some(value) = operation.value()
                && let Some(other) = key.writers.insert(value, operation)
            {
                return Err(broken(Broken::NotUnique, operation, Some(other)));
            }
            if let Outcome::Written { version, .. } = &operation.outcome {
                key.writes.entry(*version).or_default().push(operation);
            }
            let told = match &operation.outcome {
                Outcome::Written { version, .. } => operation.value().map(|it| (it, *version)),
                Outcome::Found(Some((value, version))) => Some((value, *version)),
                _ => None,
            };
            if let Some((value, version)) = told {
                let (first, other) = *key.versions.entry(value).or_insert((version, operation));
                if first != version {
                    return Err(broken(Broken::AppliedTwice, operation, Some(other)));
                }
            }
        }
        Ok(key)
    }

    /// What was found was written, by somebody who may have, and is the same for everybody.
    fn check_values(&self) -> Result<(), Violation> {
        let mut found: BTreeMap<Version, (&Bytes, &Operation)> = BTreeMap::new();
        for operation in self.operations {
            let Outcome::Found(Some((value, version))) = &operation.outcome else { continue };
            let Some(writer) = self.writers.get(value) else {
                return Err(broken(Broken::Invented, operation, None));
            };
            let refused = matches!(writer.outcome, Outcome::Failed | Outcome::Mismatch { .. });
            if refused || operation.is_before(writer) {
                return Err(broken(Broken::Impossible, operation, Some(writer)));
            }
            let (first, other) = *found.entry(*version).or_insert((value, operation));
            if first != value {
                return Err(broken(Broken::TwoValues, operation, Some(other)));
            }
        }
        Ok(())
    }

    /// Whoever begins after a reply sees that reply's version or a later one; a write, a later one.
    fn check_order(&self) -> Result<(), Violation> {
        let mut ended: Vec<_> = self
            .operations
            .iter()
            .filter_map(|operation| Some((operation.returned, version_of(operation)?, *operation)))
            .collect();
        ended.sort_by_key(|(returned, ..)| *returned);
        let mut ended = ended.into_iter().peekable();
        let mut begun = self.operations.to_vec();
        begun.sort_by_key(|operation| operation.invoked);
        let mut last: Option<(Version, &Operation)> = None;
        for operation in begun {
            while let Some((_, version, other)) =
                ended.next_if(|(returned, ..)| *returned < operation.invoked)
            {
                if last.is_none_or(|(highest, _)| highest <= version) {
                    last = Some((version, other));
                }
            }
            if let Some((highest, other)) = last {
                self.check_after(operation, highest, other)?;
            }
        }
        Ok(())
    }

    /// Judges an operation that began after version `highest` had been seen.
    fn check_after(
        &self,
        operation: &Operation,
        highest: Version,
        other: &Operation,
    ) -> Result<(), Violation> {
        let fault = match &operation.outcome {
            Outcome::Written { version, .. } => {
                (*version <= highest).then_some(Broken::WriteBehind)
            }
            Outcome::Found(Some((_, version))) | Outcome::Mismatch { actual: Some(version) } => {
                (*version < highest).then_some(Broken::StaleRead)
            }
            Outcome::Found(None) | Outcome::Mismatch { actual: None } => {
                (!self.may_be_deleted(highest, operation)).then_some(Broken::Lost)
            }
            Outcome::Unknown | Outcome::Failed => None,
        };
        fault.map_or(Ok(()), |fault| Err(broken(fault, operation, Some(other))))
    }

    /// Whether somebody can have deleted the record of a version before a reader returned.
    fn may_be_deleted(&self, version: Version, reader: &Operation) -> bool {
        let mut deletes = self.operations.iter().filter(|it| it.action == Action::Delete);
        deletes.any(|delete| match &delete.outcome {
            Outcome::Unknown => delete.invoked < reader.returned,
            Outcome::Written { version: at, .. } => {
                *at >= version && delete.invoked < reader.returned
            }
            _ => false,
        })
    }

    /// Between a compare-and-set and what it expected, nothing was written.
    fn check_conditions(&self) -> Result<(), Violation> {
        for operation in self.operations {
            let Action::CompareAndSet(condition, _) = &operation.action else { continue };
            let Outcome::Written { version, .. } = &operation.outcome else { continue };
            let last =
                self.writes.range(..*version).next_back().map(|(at, writes)| (*at, writes[0]));
            match condition {
                Condition::Absent => {
                    let Some((at, last)) = last else { continue };
                    if !self.may_be_deleted(at, operation) {
                        return Err(broken(Broken::LostUpdate, operation, Some(last)));
                    }
                }
                Condition::Value(value) => {
                    let Some((expected, _)) = self.versions.get(value).copied() else { continue };
                    if expected > *version {
                        return Err(broken(Broken::Impossible, operation, None));
                    }
                    if let Some((at, last)) = last
                        && at > expected
                    {
                        return Err(broken(Broken::LostUpdate, operation, Some(last)));
                    }
                }
            }
        }
        Ok(())
    }
}
