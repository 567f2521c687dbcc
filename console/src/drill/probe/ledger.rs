//! What one writer was told of each of its keys. Pure.
//!
//! A write of unknown outcome may take effect at any time: what it wrote is never called a loss.

use std::collections::BTreeMap;

/// Writes of unknown outcome that are remembered of one key: each took ten seconds.
const OPEN_MAX: usize = 16;

/// The number of a write, which is its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt(pub(crate) u64);

/// All keys of one writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(BTreeMap<u64, Entry>);

#[derive(Clone, Debug, Default)]
struct Entry {
    acknowledged: Option<Attempt>,
    /// Begun, and neither acknowledged nor refused.
    open: Vec<Attempt>,
}

impl Attempt {
    /// From a value; one that nobody here wrote is no attempt of ours.
    pub(crate) fn read(value: &[u8]) -> Self {
        value.try_into().map_or(Self(u64::MAX), |bytes| Self(u64::from_le_bytes(bytes)))
    }
}

impl Ledger {
    /// A write begins: from now on it may be there.
    pub(crate) fn begins(&mut self, key: u64, attempt: Attempt) {
        let open = &mut self.0.entry(key).or_default().open;
        open.push(attempt);
        let surplus = open.len().saturating_sub(OPEN_MAX);
        open.drain(..surplus);
    }

    /// It must be there, unless one of unknown outcome has come after it.
    pub(crate) fn acknowledged(&mut self, key: u64, attempt: Attempt) {
        let entry = self.0.entry(key).or_default();
        entry.open.retain(|open| *open != attempt);
        entry.acknowledged = Some(attempt);
    }

    /// It was not done.
    pub(crate) fn refused(&mut self, key: u64, attempt: Attempt) {
        self.0.entry(key).or_default().open.retain(|open| *open != attempt);
    }

    /// Whether anything of this key was acknowledged.
    pub(crate) fn promises(&self, key: u64) -> bool {
        self.0.get(&key).is_some_and(|entry| entry.acknowledged.is_some())
    }

    /// Whether what is there means that an acknowledged write is gone. It is told once.
    pub(crate) fn found(&mut self, key: u64, found: Option<Attempt>) -> bool {
        let entry = self.0.entry(key).or_default();
        let expected =
            found == entry.acknowledged || found.is_some_and(|it| entry.open.contains(&it));
        if !expected {
            entry.acknowledged = found;
        }
        !expected
    }

    /// Every key that was ever written.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u64> + use<> {
        let keys: Vec<u64> = self.0.keys().copied().collect();
        keys.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One key to which these things happen: `b` begins, `a` acknowledged, `r` refused; what is
    /// found then.
    fn lost(story: &str, found: Option<u64>) -> bool {
        let mut ledger = Ledger::default();
        for word in story.split_whitespace() {
            let attempt = Attempt(word[1..].parse().unwrap());
            match &word[..1] {
                "b" => ledger.begins(7, attempt),
                "a" => ledger.acknowledged(7, attempt),
                _ => ledger.refused(7, attempt),
            }
        }
        ledger.found(7, found.map(Attempt))
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        assert!(!lost("b1 a1", Some(1)));
        assert!(lost("b1 a1", None));
        assert!(lost("b1 a1 b2 a2", Some(1)));
        assert!(lost("b1 a1 b2 r2", Some(2)), "it was refused and is there");
    }

    #[test]
    fn a_write_of_unknown_outcome_may_be_there_or_not() {
        assert!(!lost("b1 a1 b2", Some(1)));
        assert!(!lost("b1 a1 b2", Some(2)));
        assert!(!lost("b1 b2 a2", Some(1)), "it came late");
        assert!(lost("b1 a1 b2", None));
        assert!(!lost("b1", None));
    }

    #[test]
    fn a_loss_is_told_once() {
        let mut ledger = Ledger::default();
        ledger.begins(7, Attempt(1));
        ledger.acknowledged(7, Attempt(1));
        assert!(ledger.promises(7));
        assert!(ledger.found(7, None));
        assert!(!ledger.found(7, None));
    }

    #[test]
    fn what_nobody_here_wrote_is_no_attempt() {
        assert_eq!(Attempt::read(&7u64.to_le_bytes()), Attempt(7));
        assert_eq!(Attempt::read(b"seven"), Attempt(u64::MAX));
    }
}
