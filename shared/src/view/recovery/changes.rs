//! A recovery policy key by key, and what is different in another one: as people write it.

use std::collections::BTreeMap;

use super::policy::{RecoveryPolicy, Rule};
use crate::view::facts::ClusterFacts;

impl RecoveryPolicy {
    /// Every key of the policy, in the order of its document, with its value in words.
    pub fn entries(&self) -> Vec<(String, String)> {
        let rules = self.rules;
        let named = [
            ("repair.steps", self.steps.to_string()),
            ("repair.mb_per_s", rate(self.bytes_s)),
            ("repair.wait_above_p99", wait(self.p99_us)),
            ("repair.system_grace", span(self.system_grace_ms)),
            ("rules.down", rule(rules.down)),
            ("rules.zone_lost", rule(rules.zone_lost)),
            ("rules.slow", rule(rules.slow)),
            ("rules.suspect", rule(rules.suspect)),
            ("rules.disk_low", rule(rules.disk_low)),
            ("rules.flapping", rule(rules.flapping)),
            ("flapping.downs", self.flapping.downs.to_string()),
            ("flapping.within", span(self.flapping.within_ms)),
            ("flapping.hold", span(self.flapping.hold_ms)),
        ];
        let mut entries: Vec<_> =
            named.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        for (name, care) in &self.keyspaces {
            let grace = care.grace_ms.map_or_else(|| "as it is".to_owned(), span);
            entries.push((format!("keyspace.{name}.grace"), grace));
            let down = care.down.map_or_else(|| "as rules.down".to_owned(), rule);
            entries.push((format!("keyspace.{name}.down"), down));
        }
        entries
    }

    /// What is different in the other one, a sentence a key: `rules.down: act → advise`.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let mut was: BTreeMap<String, String> = self.entries().into_iter().collect();
        let mut changes = Vec::new();
        for (key, is) in other.entries() {
            let was = was.remove(&key).unwrap_or_else(|| "nothing said".to_owned());
            if was != is {
                changes.push(format!("{key}: {was} → {is}"));
            }
        }
        changes.extend(was.into_iter().map(|(key, was)| format!("{key}: {was} → nothing said")));
        changes
    }

    /// The policy with every keyspace in it, its grace being the one that it has where none is said.
    #[must_use]
    pub fn with_keyspaces(mut self, facts: &ClusterFacts) -> Self {
        for keyspace in facts.keyspaces.values() {
            let care = self.keyspaces.entry(keyspace.name.clone()).or_default();
            care.grace_ms = care.grace_ms.or(Some(keyspace.policy.grace_ms));
        }
        self
    }
}

fn rule(rule: Rule) -> String {
    match rule {
        Rule::Observe => "observe",
        Rule::Advise => "advise",
        Rule::Act => "act",
    }
    .to_owned()
}

fn rate(bytes_s: u64) -> String {
    match bytes_s {
        0 => "no bound".to_owned(),
        _ if bytes_s.is_multiple_of(1_000_000) => format!("{} MB/s", bytes_s / 1_000_000),
        _ => format!("{} kB/s", bytes_s / 1_000),
    }
}

fn wait(p99_us: u32) -> String {
    match p99_us {
        0 => "never".to_owned(),
        _ if p99_us.is_multiple_of(1_000) => format!("{} ms", p99_us / 1_000),
        _ => format!("{p99_us} us"),
    }
}

/// Milliseconds in the largest unit that leaves nothing over.
fn span(milliseconds: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let fits = |unit: &&(u64, &str)| milliseconds > 0 && milliseconds.is_multiple_of(unit.0);
    units.iter().find(fits).map_or_else(
        || format!("{milliseconds} ms"),
        |(unit, name)| format!("{} {name}", milliseconds / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::KeyspaceCare;

    #[test]
    fn only_what_is_different_is_told() {
        let policy = RecoveryPolicy::default();
        assert_eq!(policy.changes(&policy), [""; 0]);
        let mut other = policy.clone();
        other.rules.down = Rule::Advise;
        other.bytes_s = 2_500_000;
        other.system_grace_ms = 90_000;
        let care = KeyspaceCare { grace_ms: Some(7_200_000), down: None };
        other.keyspaces.insert("orders".to_owned(), care);
        let changes = policy.changes(&other);
        assert_eq!(
            changes,
            [
                "repair.mb_per_s: no bound → 2500 kB/s",
                "repair.system_grace: 30 s → 90 s",
                "rules.down: act → advise",
                "keyspace.orders.grace: nothing said → 2 h",
                "keyspace.orders.down: nothing said → as rules.down",
            ]
        );
        assert_eq!(other.changes(&policy).len(), changes.len());
    }
}
