//! The recovery policy as a form: one line a setting, each with the values that make sense.
//!
//! Pure. What is set is the text that the form stands for, read back: form and text can't differ.

use evenkeel_shared::view::{
    KeyspaceView, PolicyVersion, Recovery, RecoveryChange, RecoveryPolicy, Rule,
};

use crate::policy;
use crate::tui::number::next_of;

const RATES: [u64; 7] =
    [10_000_000, 25_000_000, 50_000_000, 100_000_000, 200_000_000, 500_000_000, NO_BOUND];
const WAITS_US: [u64; 7] = [5_000, 10_000, 20_000, 50_000, 100_000, 200_000, NO_BOUND];
const STEPS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];
const SPANS_MS: [u64; 11] = [
    5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000,
    7_200_000,
];
const DOWNS: [u64; 6] = [2, 3, 4, 5, 8, 10];
/// Where 0 means that there is none.
const NO_BOUND: u64 = u64::MAX;

/// The form.
#[derive(Clone, Debug)]
pub(crate) struct PolicyForm {
    /// How far it is.
    pub(crate) stage: PolicyStage,
    /// The chosen line.
    pub(crate) row: usize,
    /// What the last key led to.
    pub(crate) hint: Option<String>,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(crate) enum PolicyStage {
    /// The agents were asked what holds.
    Asking,
    /// They could not say.
    Failed(String),
    /// It is being changed.
    Editing(Box<Draft>),
}

/// What holds, and what is wanted in its place.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// All versions that are kept.
    recovery: Recovery,
    /// Every keyspace with the grace that it has.
    keyspaces: Vec<KeyspaceView>,
    /// What holds, with every keyspace in it.
    pub(crate) was: RecoveryPolicy,
    /// What is wanted.
    pub(crate) is: RecoveryPolicy,
    /// The version that was taken as it was last; `None`: the one that holds.
    from: Option<u32>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its key in the document.
    pub(crate) key: String,
    /// The value that is wanted.
    pub(crate) value: String,
    /// The value that holds, where it is another.
    pub(crate) was: Option<String>,
}

impl PolicyForm {
    /// One whose policy is being asked for.
    pub(crate) fn asking() -> Self {
        Self { stage: PolicyStage::Asking, row: 0, hint: None }
    }
}

impl Draft {
    /// What holds, unchanged.
    pub(crate) fn new(recovery: Recovery, keyspaces: &[KeyspaceView]) -> Self {
        let was = whole(recovery.policy(), keyspaces);
        let is = was.clone();
        Self { recovery, keyspaces: keyspaces.to_vec(), was, is, from: None }
    }

    /// The version that holds; 0 is the built-in one.
    pub(crate) fn version(&self) -> u32 {
        self.recovery.version()
    }

    /// Every line, in the order of the document.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let held = self.was.entries();
        let line = |(key, value): (String, String)| {
            let was = held.iter().find(|(known, _)| *known == key).map(|(_, was)| was.clone());
            let was = was.filter(|was| *was != value);
            Line { key, value, was }
        };
        self.is.entries().into_iter().map(line).collect()
    }

    /// Turns a line's value to the next larger or smaller one.
    pub(crate) fn turn(&mut self, key: &str, forward: bool) {
        let policy = &mut self.is;
        let steps = |now: u16, offers: &[u64]| {
            u16::try_from(next_of(offers, now.into(), forward)).unwrap_or(now)
        };
        let span = |now: u64| next_of(&SPANS_MS, now, forward);
        let rules = &mut policy.rules;
        match key {
            "repair.steps" => policy.steps = steps(policy.steps, &STEPS),
            "repair.mb_per_s" => policy.bytes_s = bounded(&RATES, policy.bytes_s, forward),
            "repair.wait_above_p99" => {
                let next = bounded(&WAITS_US, policy.p99_us.into(), forward);
                policy.p99_us = u32::try_from(next).unwrap_or(policy.p99_us);
            }
            "repair.system_grace" => policy.system_grace_ms = span(policy.system_grace_ms),
            "rules.down" => rules.down = turned(rules.down, forward),
            "rules.zone_lost" => rules.zone_lost = turned(rules.zone_lost, forward),
            "rules.slow" => rules.slow = turned(rules.slow, forward),
            "rules.suspect" => rules.suspect = turned(rules.suspect, forward),
            "rules.disk_low" => rules.disk_low = turned(rules.disk_low, forward),
            "rules.flapping" => rules.flapping = turned(rules.flapping, forward),
            "flapping.downs" => policy.flapping.downs = steps(policy.flapping.downs, &DOWNS),
            "flapping.within" => policy.flapping.within_ms = span(policy.flapping.within_ms),
            "flapping.hold" => policy.flapping.hold_ms = span(policy.flapping.hold_ms),
            _ => self.turn_keyspace(key, forward),
        }
    }

    fn turn_keyspace(&mut self, key: &str, forward: bool) {
        for (name, care) in &mut self.is.keyspaces {
            let Some(which) =
                key.strip_prefix("keyspace.").and_then(|key| key.strip_prefix(name.as_str()))
            else {
                continue;
            };
            match which {
                ".grace" => care.grace_ms = care.grace_ms.map(|ms| next_of(&SPANS_MS, ms, forward)),
                ".down" => {
                    // As the cluster's rule comes after the last one of its own.
                    care.down = match (care.down, forward) {
                        (None, true) => Some(Rule::Observe),
                        (None, false) => Some(Rule::Act),
                        (Some(Rule::Act), true) | (Some(Rule::Observe), false) => None,
                        (Some(rule), _) => Some(turned(rule, forward)),
                    };
                }
                _ => {}
            }
        }
    }

    /// Takes the version before the one that was taken last; what it is, in words.
    pub(crate) fn take_older(&mut self) -> String {
        let dropped =
            if self.from.is_none() && self.is != self.was { "; changes dropped" } else { "" };
        format!("{}{dropped}", self.older())
    }

    fn older(&mut self) -> String {
        let from = self.from.unwrap_or_else(|| self.version());
        let older = self.recovery.policies.iter().rev().find(|known| known.version < from);
        let (version, policy, words) = match older {
            Some(known) => {
                let why =
                    if known.why.is_empty() { String::new() } else { format!(", {}", known.why) };
                let words = format!("version {} by {}{why}", known.version, known.by);
                (known.version, known.policy.clone(), words)
            }
            None if from > 0 => (0, RecoveryPolicy::default(), "as built in".to_owned()),
            None => {
                self.from = None;
                self.is = self.was.clone();
                return "as it holds now: there is nothing older".to_owned();
            }
        };
        self.from = Some(version);
        self.is = whole(policy, &self.keyspaces);
        words
    }

    /// The change to ask for; `None`: nothing is different. An error names what can't be.
    pub(crate) fn change(&self, by: &str, now: u64) -> Result<Option<RecoveryChange>, String> {
        if self.is == self.was {
            return Ok(None);
        }
        let mut keyspaces = self.keyspaces.clone();
        for known in &mut keyspaces {
            let grace = self.is.keyspaces.get(&known.name).and_then(|care| care.grace_ms);
            known.policy.grace_ms = grace.unwrap_or(known.policy.grace_ms);
        }
        let text = policy::write(&self.is, &keyspaces);
        let policy = policy::read(&text)?;
        let why = match self.from {
            Some(version) => format!("back to version {version}, at the console"),
            None => "at the console".to_owned(),
        };
        let new = PolicyVersion { version: 0, policy, text, by: by.to_owned(), why, unix_ms: now };
        Ok(Some(RecoveryChange::SetPolicy { replaces: self.version(), new: Box::new(new) }))
    }
}

/// The policy with every keyspace in it.
fn whole(mut policy: RecoveryPolicy, keyspaces: &[KeyspaceView]) -> RecoveryPolicy {
    policy.keyspaces.retain(|name, _| keyspaces.iter().any(|known| known.name == *name));
    for known in keyspaces {
        let care = policy.keyspaces.entry(known.name.clone()).or_default();
        care.grace_ms = Some(care.grace_ms.unwrap_or(known.policy.grace_ms));
    }
    policy
}

/// The next bound, where 0 is none and comes last.
fn bounded(offers: &[u64], now: u64, forward: bool) -> u64 {
    let now = if now == 0 { NO_BOUND } else { now };
    match next_of(offers, now, forward) {
        NO_BOUND => 0,
        bound => bound,
    }
}

fn turned(rule: Rule, forward: bool) -> Rule {
    match (rule, forward) {
        (Rule::Observe | Rule::Advise, false) => Rule::Observe,
        (Rule::Observe, true) | (Rule::Act, false) => Rule::Advise,
        (Rule::Advise | Rule::Act, true) => Rule::Act,
    }
}

/// What a line is about.
pub(crate) fn about(key: &str) -> &'static str {
    match key {
        "repair.steps" => "shards that are repaired at once",
        "repair.mb_per_s" => "how much repair may begin to move in a second",
        "repair.wait_above_p99" => "repair waits while some node's writes take longer than this",
        "repair.system_grace" => "how long a voter of the system shard may be DOWN there",
        "rules.down" => "a node DOWN beyond the grace: its copies are built anew",
        "rules.zone_lost" => "so are all nodes of a zone",
        "rules.slow" => "a SLOW node hands its leaderships over",
        "rules.suspect" => "so does one that some hear and others don't",
        "rules.disk_low" => "so does one whose disk is nearly full",
        "rules.flapping" => "a node that goes and comes gets nothing new for a while",
        "flapping.downs" => "so many times DOWN",
        "flapping.within" => "within this time",
        "flapping.hold" => "and it must be UP for so long",
        key if key.rsplit('.').next() == Some("grace") => {
            "how long a node may be DOWN before repair"
        }
        _ => "what is done then",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_turns_and_comes_back_and_what_is_set_says_so() {
        let mut draft = Draft::new(Recovery::default(), &[]);
        assert_eq!(draft.change("ann", 7), Ok(None));
        for line in draft.lines() {
            let mut turned = Vec::new();
            for forward in [true, false, false, true] {
                draft.turn(&line.key, forward);
                turned.push(draft.is.clone());
            }
            assert!(turned.iter().any(|is| *is != draft.was), "{} does not turn", line.key);
            draft.is = draft.was.clone();
        }
        draft.turn("rules.down", false);
        draft.turn("repair.mb_per_s", false);
        let change = draft.change("ann", 7).expect("it fits").expect("it is another one");
        let RecoveryChange::SetPolicy { replaces: 0, new } = change else {
            panic!("it sets a policy: {change:?}")
        };
        assert_eq!(new.policy, draft.is);
        assert!(new.text.contains("down = \"advise\""), "{}", new.text);
    }

    #[test]
    fn older_versions_are_taken_one_by_one_down_to_the_built_in_one() {
        let version = |version, steps| PolicyVersion {
            version,
            policy: RecoveryPolicy { steps, ..RecoveryPolicy::default() },
            text: String::new(),
            by: "ann".to_owned(),
            why: String::new(),
            unix_ms: 1,
        };
        let policies = vec![version(1, 3), version(2, 5)];
        let mut draft = Draft::new(Recovery { policies, ..Recovery::default() }, &[]);
        let mut seen = Vec::new();
        for _ in 0..3 {
            draft.take_older();
            seen.push(draft.is.steps);
        }
        assert_eq!(seen, [3, RecoveryPolicy::default().steps, 5]);
    }
}
