//! Reads a script's TOML. Every error names the key, what was expected, and what to try. Pure.

use std::time::Duration;

use toml::{Table, Value};

use super::table::{Keys, listed, nearest, shown};
use super::{Hypothesis, Part, Probing, Script, ScriptError, Step, What, Whom, Zone};

/// No fault lasts longer: agents end it then.
const LASTS_MAX: Duration = Duration::from_secs(3_600);
/// How long a fault lasts when nothing else is said.
const FAULT: Duration = Duration::from_secs(5);
/// How long a planned restart keeps a node down when nothing else is said.
const RESTART: Duration = Duration::from_secs(1);
/// How long the cluster may take to be whole when nothing else is said.
const HEALTHY: Duration = Duration::from_secs(120);
/// Longest delay of what a node sends.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// Longest rest of a writer: with a longer one, no outage could be told.
const PACE_MAX: Duration = Duration::from_secs(1);
/// Most writers: each is a task with keys of its own.
const WRITERS_MAX: u64 = 4_096;
/// Most steps: a drill is something that people watch.
const STEPS_MAX: usize = 64;
/// Longest name, so that a table of drills stays readable.
const NAME_CHARS_MAX: usize = 40;

/// Every word of `do`.
const WORDS: [&str; 11] = [
    "kill",
    "freeze",
    "cut",
    "stall-disk",
    "slow",
    "switchover",
    "restart",
    "backup",
    "restore-and-undo",
    "wait-healthy",
    "pause",
];

/// Reads a script.
pub(crate) fn read(text: &str) -> Result<Script, ScriptError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| ScriptError {
        key: "the script".to_owned(),
        what: format!("it is not TOML: {}", error.to_string().trim_end()),
        hint: "`evenkeel drill show kill-leader` for one to start from".to_owned(),
    })?;
    let known = &["name", "about", "hypothesis", "probe", "step"];
    let mut keys = Keys::of("", table, known)?;
    let name = name(&mut keys)?;
    let about = keys.text("about")?.unwrap_or_default();
    let hypothesis = hypothesis(&mut keys)?;
    let probe = probing(&mut keys)?;
    let steps = steps(&mut keys)?;
    Ok(Script { name, about, hypothesis, probe, steps })
}

fn name(keys: &mut Keys) -> Result<String, ScriptError> {
    let hint = "name = \"kill-leader\"";
    let Some(name) = keys.text("name")? else {
        return Err(keys.wrong("name", "it is missing; expected the drill's name", hint));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.chars().count() > NAME_CHARS_MAX || !name.chars().all(plain) {
        let what =
            format!("expected at most {NAME_CHARS_MAX} letters, figures and hyphens, not {name:?}");
        return Err(keys.wrong("name", what, hint));
    }
    Ok(name)
}

fn hypothesis(keys: &mut Keys) -> Result<Hypothesis, ScriptError> {
    let hint = "[hypothesis] with outage = \"500ms\"";
    let known = &["outage", "lost", "failed"];
    let Some(mut inner) = keys.inner("hypothesis", known)? else {
        let what = "it is missing; expected what must hold for the drill to pass";
        return Err(keys.wrong("hypothesis", what, hint));
    };
    let Some(outage) = inner.time("outage", LASTS_MAX)? else {
        let what = "it is missing; expected the longest write outage of a shard that is accepted";
        return Err(inner.wrong("outage", what, "outage = \"500ms\""));
    };
    let many = (0, u64::MAX >> 1);
    let lost = inner.number("lost", many)?.unwrap_or(0);
    let failed = inner.number("failed", many)?;
    Ok(Hypothesis { outage, lost, failed })
}

fn probing(keys: &mut Keys) -> Result<Probing, ScriptError> {
    let mut probing = Probing { writers: 32, pace: Duration::from_millis(2) };
    if let Some(mut inner) = keys.inner("probe", &["writers", "pace"])? {
        if let Some(writers) = inner.number("writers", (1, WRITERS_MAX))? {
            probing.writers = u32::try_from(writers).unwrap_or(u32::MAX);
        }
        if let Some(pace) = inner.time("pace", PACE_MAX)? {
            probing.pace = pace;
        }
    }
    Ok(probing)
}

fn steps(keys: &mut Keys) -> Result<Vec<Step>, ScriptError> {
    let hint = "[[step]] with do = \"kill\"";
    let list = match keys.take("step") {
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(other) if !matches!(other, Value::Array(_)) => {
            let what = format!("expected a list of tables, not {}", shown(&other));
            return Err(keys.wrong("step", what, hint));
        }
        _ => return Err(keys.wrong("step", "expected at least one", hint)),
    };
    if list.len() > STEPS_MAX {
        let what = format!("expected at most {STEPS_MAX} steps, not {}", list.len());
        return Err(keys.wrong("step", what, "two drills"));
    }
    let mut steps: Vec<Step> = Vec::new();
    for (number, value) in (1..).zip(list) {
        let place = format!("step {number}");
        let Value::Table(table) = value else {
            let what = format!("expected a table, not {}", shown(&value));
            return Err(ScriptError { key: place, what, hint: hint.to_owned() });
        };
        let step = step(&place, table)?;
        let backed_up = steps.iter().any(|step| matches!(step.what, What::Backup { .. }));
        if step.what == What::RestoreAndUndo && !backed_up {
            return Err(ScriptError {
                key: format!("{place}: do"),
                what: "expected a step `backup` before `restore-and-undo`".to_owned(),
                hint: "[[step]] with do = \"backup\" before it".to_owned(),
            });
        }
        steps.push(step);
    }
    Ok(steps)
}

fn step(place: &str, table: Table) -> Result<Step, ScriptError> {
    let word = match table.get("do") {
        Some(Value::String(word)) => word.clone(),
        Some(other) => return Err(not_a_step(place, &shown(other))),
        None => return Err(not_a_step(place, "nothing")),
    };
    let mut keys = Keys::of(place, table, keys_of(&word))?;
    keys.take("do");
    let lasts = |keys: &mut Keys, usual| Ok(keys.time("for", LASTS_MAX)?.unwrap_or(usual));
    let of_node = |keys: &mut Keys, what: fn(Whom) -> What| -> Result<Step, ScriptError> {
        let lasts = lasts(keys, FAULT)?;
        Ok(Step { what: what(one(keys)?), lasts })
    };
    match word.as_str() {
        "kill" => of_node(&mut keys, What::Kill),
        "freeze" => of_node(&mut keys, What::Freeze),
        "stall-disk" => of_node(&mut keys, What::StallDisk),
        "switchover" => of_node(&mut keys, What::Switchover),
        "cut" => Ok(Step { lasts: lasts(&mut keys, FAULT)?, what: What::Cut(part(&mut keys)?) }),
        "slow" => {
            let delay = keys.time("delay", DELAY_MAX)?.unwrap_or_default();
            let jitter = keys.time("jitter", DELAY_MAX)?.unwrap_or(Duration::from_millis(200));
            let lasts = lasts(&mut keys, FAULT)?;
            Ok(Step { what: What::Slow { node: one(&mut keys)?, delay, jitter }, lasts })
        }
        "restart" => {
            let lasts = lasts(&mut keys, RESTART)?;
            let whom = whom(&mut keys)?.unwrap_or(Whom::Each);
            Ok(Step { what: What::Restart(whom), lasts })
        }
        "backup" => Ok(Step { what: What::Backup { to: keys.text("to")? }, lasts: FAULT }),
        "restore-and-undo" => Ok(Step { what: What::RestoreAndUndo, lasts: FAULT }),
        "wait-healthy" => Ok(Step { what: What::WaitHealthy, lasts: lasts(&mut keys, HEALTHY)? }),
        "pause" => Ok(Step { what: What::Pause, lasts: lasts(&mut keys, FAULT)? }),
        other => Err(not_a_step(place, &format!("{other:?}"))),
    }
}

/// The keys of a step that does this.
fn keys_of(word: &str) -> &'static [&'static str] {
    match word {
        "kill" | "freeze" | "stall-disk" | "switchover" | "restart" => &["do", "node", "for"],
        "cut" => &["do", "node", "zone", "for"],
        "slow" => &["do", "node", "for", "delay", "jitter"],
        "backup" => &["do", "to"],
        "wait-healthy" | "pause" => &["do", "for"],
        "restore-and-undo" => &["do"],
        // The word itself is what is wrong then.
        _ => &["do", "node", "zone", "for", "delay", "jitter", "to"],
    }
}

fn not_a_step(place: &str, found: &str) -> ScriptError {
    let near = nearest(found.trim_matches('"'), &WORDS).unwrap_or("kill");
    ScriptError {
        key: format!("{place}: do"),
        what: format!("expected {}, not {found}", listed(&WORDS)),
        hint: format!("do = \"{near}\""),
    }
}

/// One node; the busiest shard's leader when none is named.
fn one(keys: &mut Keys) -> Result<Whom, ScriptError> {
    match whom(keys)? {
        Some(Whom::Each) => Err(keys.wrong(
            "node",
            "expected one node: only `restart` takes each in turn",
            "node = \"busiest-leader\"",
        )),
        Some(whom) => Ok(whom),
        None => Ok(Whom::BusiestLeader),
    }
}

fn whom(keys: &mut Keys) -> Result<Option<Whom>, ScriptError> {
    Ok(keys.text("node")?.map(|word| match word.as_str() {
        "busiest-leader" => Whom::BusiestLeader,
        "most-leaders" => Whom::MostLeaders,
        "each" => Whom::Each,
        _ => Whom::Named(word),
    }))
}

fn part(keys: &mut Keys) -> Result<Part, ScriptError> {
    let zone = keys.text("zone")?.map(|word| match word.as_str() {
        "largest-that-is-safe" => Zone::LargestSafe,
        "first-that-is-safe" => Zone::FirstSafe,
        _ => Zone::Named(word),
    });
    match zone {
        None => Ok(Part::Node(one(keys)?)),
        Some(_) if keys.take("node").is_some() => {
            Err(keys.wrong("zone", "expected a node or a zone, not both", "leave `node` out"))
        }
        Some(zone) => Ok(Part::Zone(zone)),
    }
}
