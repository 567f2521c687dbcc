//! Which copies of a shard differ from the others: a question of counting, not of trust in anybody.
//!
//! Invariant: a copy is odd only if more than half of all copies agree on something else; where no
//! such majority is, nobody is condemned.

use std::collections::BTreeMap;

use evenkeel_shared::ids::ReplicaId;

/// What a copy holds at an agreed index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Content {
    /// The index.
    pub index: u64,
    /// The hash over all records.
    pub hash: String,
}

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that answered hold the same.
    Alike,
    /// These differ from a majority.
    Odd(Vec<ReplicaId>),
    /// They differ, and no majority says who is right.
    Undecided,
}

/// Compares copies; `all` is how many there are, those that did not answer among them.
pub fn compare(contents: &BTreeMap<ReplicaId, Content>, all: usize) -> Verdict {
    let mut counts: BTreeMap<&Content, usize> = BTreeMap::new();
    for content in contents.values() {
        *counts.entry(content).or_default() += 1;
    }
    if counts.len() <= 1 {
        return Verdict::Alike;
    }
    match counts.into_iter().max_by_key(|(_, count)| *count) {
        Some((most, count)) if count * 2 > all.max(contents.len()) => {
            let odd = contents.iter().filter(|(_, content)| *content != most);
            Verdict::Odd(odd.map(|(replica, _)| *replica).collect())
        }
        _ => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(hashes: &str) -> BTreeMap<ReplicaId, Content> {
        let content = |hash: char| Content { index: 7, hash: hash.to_string() };
        (1..).map(ReplicaId).zip(hashes.chars().map(content)).collect()
    }

    #[test]
    fn a_majority_tells_who_is_odd() {
        assert_eq!(compare(&contents("aaa"), 3), Verdict::Alike);
        assert_eq!(compare(&contents("aab"), 3), Verdict::Odd(vec![ReplicaId(3)]));
        assert_eq!(compare(&contents("abaca"), 5), Verdict::Odd(vec![ReplicaId(2), ReplicaId(4)]));
    }

    #[test]
    fn without_a_majority_nobody_is_condemned() {
        assert_eq!(compare(&contents("ab"), 2), Verdict::Undecided);
        assert_eq!(compare(&contents("ab"), 3), Verdict::Undecided, "one did not answer");
        assert_eq!(compare(&contents("aab"), 5), Verdict::Undecided, "two did not answer");
        assert_eq!(compare(&contents("abc"), 3), Verdict::Undecided);
        assert_eq!(compare(&contents(""), 3), Verdict::Alike);
    }
}
