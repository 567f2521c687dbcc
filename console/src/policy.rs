//! The recovery policy as people write it: TOML in which whatever is left out is as built in.
//!
//! Pure. A key that is not known is an error: a policy with a slip of the pen must not hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use evenkeel_shared::view::{Flapping, KeyspaceCare, KeyspaceView, RecoveryPolicy, Rule, Rules};
use serde::{Deserialize, Serialize};

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    repair: Repair,
    rules: RulesText,
    flapping: FlappingText,
    keyspace: BTreeMap<String, KeyspaceText>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Repair {
    steps: Option<u16>,
    mb_per_s: Option<f64>,
    wait_above_p99: Option<String>,
    system_grace: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct RulesText {
    down: Option<Rule>,
    zone_lost: Option<Rule>,
    slow: Option<Rule>,
    suspect: Option<Rule>,
    disk_low: Option<Rule>,
    flapping: Option<Rule>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct FlappingText {
    downs: Option<u16>,
    within: Option<String>,
    hold: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct KeyspaceText {
    grace: Option<String>,
    down: Option<Rule>,
}

/// Reads a policy; the error names the key and what was expected.
pub(crate) fn read(text: &str) -> Result<RecoveryPolicy, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
    let built_in = RecoveryPolicy::default();
    let Document { repair, rules, flapping, keyspace } = document;
    let within = milliseconds("flapping.within", flapping.within.as_deref())?;
    let hold = milliseconds("flapping.hold", flapping.hold.as_deref())?;
    let p99_ms = milliseconds("repair.wait_above_p99", repair.wait_above_p99.as_deref())?;
    let system_grace = milliseconds("repair.system_grace", repair.system_grace.as_deref())?;
    let keyspaces = keyspace.into_iter().map(|(name, own)| {
        let grace_ms = milliseconds(&format!("keyspace.{name}.grace"), own.grace.as_deref())?;
        Ok((name, KeyspaceCare { grace_ms, down: own.down }))
    });
    let default = built_in.rules;
    Ok(RecoveryPolicy {
        steps: repair.steps.unwrap_or(built_in.steps),
        bytes_s: bytes(repair.mb_per_s.unwrap_or(0.0))?,
        p99_us: u32::try_from(p99_ms.unwrap_or(0).saturating_mul(1_000))
            .map_err(|_| "repair.wait_above_p99 is too long".to_owned())?,
        system_grace_ms: system_grace.unwrap_or(built_in.system_grace_ms),
        rules: Rules {
            down: rules.down.unwrap_or(default.down),
            zone_lost: rules.zone_lost.unwrap_or(default.zone_lost),
            slow: rules.slow.unwrap_or(default.slow),
            suspect: rules.suspect.unwrap_or(default.suspect),
            disk_low: rules.disk_low.unwrap_or(default.disk_low),
            flapping: rules.flapping.unwrap_or(default.flapping),
        },
        flapping: Flapping {
            downs: flapping.downs.unwrap_or(built_in.flapping.downs),
            within_ms: within.unwrap_or(built_in.flapping.within_ms),
            hold_ms: hold.unwrap_or(built_in.flapping.hold_ms),
        },
        keyspaces: keyspaces.collect::<Result<_, String>>()?,
    })
}

/// The policy with everything in it, ready to be edited; keyspaces as they are kept now.
pub(crate) fn write(policy: &RecoveryPolicy, keyspaces: &[KeyspaceView]) -> String {
    let span = |ms: u64| humantime::format_duration(Duration::from_millis(ms)).to_string();
    let rule = |rule: Rule| match rule {
        Rule::Observe => "observe",
        Rule::Advise => "advise",
        Rule::Act => "act",
    };
    let mb_per_s = megabytes(policy.bytes_s);
    let Rules { down, zone_lost, slow, suspect, disk_low, flapping } = policy.rules;
    let mut text = format!(
        "[repair]\n\
         # Shards that are repaired at once.\n\
         steps = {}\n\
         # Megabytes a second that repair may begin to move; 0: no bound.\n\
         mb_per_s = {mb_per_s:?}\n\
         # Repair waits while some node's writes take longer than this at the 99th percentile.\n\
         wait_above_p99 = \"{}\"\n\
         # How long a voter of the system shard may be DOWN before another takes its place.\n\
         system_grace = \"{}\"\n\n\
         # observe: say what is seen. advise: say what would be done, and wait for\n\
         # `evenkeel plan apply`. act: do it.\n\
         [rules]\n",
        policy.steps,
        span(u64::from(policy.p99_us) / 1_000),
        span(policy.system_grace_ms),
    );
    for (name, value, what) in [
        ("down", down, "a node is DOWN beyond the grace: copies are built anew elsewhere"),
        ("zone_lost", zone_lost, "so are all nodes of a zone"),
        ("slow", slow, "a node is SLOW: it hands its leaderships over"),
        ("suspect", suspect, "some hear a node, others don't: it hands its leaderships over"),
        ("disk_low", disk_low, "a disk is nearly full: its node hands its leaderships over"),
        ("flapping", flapping, "a node goes and comes: it gets nothing new for a while"),
    ] {
        let line = format!("{name} = \"{}\"", rule(value));
        append(&mut text, format_args!("{line:<22}# {what}\n"));
    }
    let Flapping { downs, within_ms, hold_ms } = policy.flapping;
    append(
        &mut text,
        format_args!(
            "\n[flapping]\ndowns = {downs}\nwithin = \"{}\"\nhold = \"{}\"\n",
            span(within_ms),
            span(hold_ms)
        ),
    );
    for known in keyspaces {
        let own = policy.keyspaces.get(&known.name).copied().unwrap_or_default();
        append(
            &mut text,
            format_args!(
                "\n[keyspace.\"{}\"]\ngrace = \"{}\"\n",
                known.name,
                span(known.policy.grace_ms)
            ),
        );
        if let Some(down) = own.down {
            append(&mut text, format_args!("down = \"{}\"\n", rule(down)));
        }
    }
    text
}

/// What differs, a line a key: `rules.down: act → advise`.
pub(crate) fn differences(old: &str, new: &str) -> Result<Vec<String>, String> {
    let keys = |text: &str| -> Result<BTreeMap<String, String>, String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut keys = BTreeMap::new();
        flatten("", &toml::Value::Table(table), &mut keys);
        Ok(keys)
    };
    let (old, new) = (keys(old)?, keys(new)?);
    let all: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let none = || "-".to_owned();
    let lines = all.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(|key| {
        let was = old.get(key).cloned().unwrap_or_else(none);
        let is = new.get(key).cloned().unwrap_or_else(none);
        format!("{key}: {was} → {is}")
    });
    Ok(lines.collect())
}

fn flatten(path: &str, value: &toml::Value, keys: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, keys);
            }
        }
        toml::Value::String(text) => drop(keys.insert(path.to_owned(), text.clone())),
        other => drop(keys.insert(path.to_owned(), other.to_string())),
    }
}

fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("strings take all");
}

fn milliseconds(key: &str, text: Option<&str>) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    let span = humantime::parse_duration(text)
        .map_err(|error| format!("{key} = {text:?}: {error}; try \"30s\" or \"10min\""))?;
    u64::try_from(span.as_millis()).map(Some).map_err(|_| format!("{key} is too long"))
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are more than any rate needs")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was checked to be in range, and a fraction of a byte is of no interest"
)]
fn bytes(mb_per_s: f64) -> Result<u64, String> {
    if !(0.0..=1e6).contains(&mb_per_s) {
        return Err(format!("repair.mb_per_s = {mb_per_s} is not 0 to 1000000"));
    }
    Ok((mb_per_s * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use evenkeel_shared::ids::KeyspaceId;
    use evenkeel_shared::view::{HealthCounts, Policy, Promise, SyncPolicy};

    fn keyspace(name: &str, grace_ms: u64) -> KeyspaceView {
        KeyspaceView {
            id: KeyspaceId(1),
            name: name.to_owned(),
            shards: 16,
            policy: Policy { replicas: 3, sync: SyncPolicy::Quorum, grace_ms },
            promise: Promise::default(),
            counts: HealthCounts::default(),
            ops_s: None,
            log_bytes: None,
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let mut policy = RecoveryPolicy { steps: 3, bytes_s: 2_500_000, ..Default::default() };
        policy.rules.down = Rule::Advise;
        policy.p99_us = 40_000;
        let keyspaces = [keyspace("default", 60_000), keyspace("orders.eu", 7_500)];
        let text = write(&policy, &keyspaces);
        let read = read(&text).unwrap();
        let kept = keyspaces.iter().map(|known| {
            let grace_ms = Some(known.policy.grace_ms);
            (known.name.clone(), KeyspaceCare { grace_ms, down: None })
        });
        policy.keyspaces = kept.collect();
        assert_eq!(read, policy, "{text}");
    }

    #[test]
    fn whatever_is_left_out_is_as_built_in() {
        assert_eq!(read("").unwrap(), RecoveryPolicy::default());
        let read = read("[rules]\nzone_lost = \"advise\"\n").unwrap();
        assert_eq!((read.rules.zone_lost, read.rules.down), (Rule::Advise, Rule::Act));
    }

    #[test]
    fn a_slip_of_the_pen_is_named() {
        for (text, said) in [
            ("[rules]\ndwon = \"act\"", "dwon"),
            ("[rules]\ndown = \"sometimes\"", "sometimes"),
            ("[repair]\nsystem_grace = \"soon\"", "repair.system_grace"),
            ("[repair]\nmb_per_s = -1.0", "mb_per_s"),
            ("[repair", "repair"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn differences_are_told_by_key() {
        let old = "[rules]\ndown = \"act\"\nslow = \"act\"\n[repair]\nsteps = 8\n";
        let new = "[rules]\ndown = \"advise\"\nslow = \"act\"\n[keyspace.a]\ngrace = \"1s\"\n";
        let expected =
            ["keyspace.a.grace: - → 1s", "repair.steps: 8 → -", "rules.down: act → advise"];
        assert_eq!(differences(old, new).unwrap(), expected);
    }
}
