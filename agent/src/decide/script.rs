//! What the golden scripts of all deciders share: finding them, and reading their arguments.
//!
//! Invariant: a suite without scripts fails, so that none is lost by a renamed folder.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use evenkeel_shared::view::ZoneRule;
use goldenscript::ArgumentConsumer;

/// Runs `check` on every script of a suite, in order of their names.
pub(super) fn each(suite: &str, check: impl Fn(&Path)) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/decide/testscripts").join(suite);
    let entries = std::fs::read_dir(&folder).expect("the suite has a folder");
    let mut scripts: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder can be listed").path()).collect();
    scripts.sort();
    assert!(!scripts.is_empty(), "no scripts in {}", folder.display());
    for script in scripts {
        check(&script);
    }
}

/// The next positional argument.
pub(super) fn position<T: FromStr>(args: &mut ArgumentConsumer<'_>) -> Result<T, Box<dyn Error>> {
    let text = args.next_pos().ok_or("an argument is missing")?;
    text.parse().map_err(|_| format!("can't read {text}").into())
}

/// The argument of that name.
pub(super) fn key<T: FromStr>(
    args: &mut ArgumentConsumer<'_>,
    name: &str,
) -> Result<Option<T>, Box<dyn Error>> {
    let Some(text) = args.take_key(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("can't read {name}={text}").into())
}

/// The time of a command, in milliseconds.
pub(super) fn at(args: &mut ArgumentConsumer<'_>) -> Result<Duration, Box<dyn Error>> {
    let at: u64 = key(args, "at")?.ok_or("at= is missing")?;
    Ok(Duration::from_millis(at))
}

/// A list, separated by hyphens.
pub(super) fn list<T: FromStr>(text: &str) -> Result<Vec<T>, Box<dyn Error>> {
    let items = text.split('-').filter(|item| !item.is_empty());
    items.map(|item| item.parse().map_err(|_| format!("can't read {item}").into())).collect()
}

/// A rule about zones.
pub(super) fn zones(text: &str) -> Result<ZoneRule, Box<dyn Error>> {
    match text {
        "spread" => Ok(ZoneRule::Spread),
        "strict" => Ok(ZoneRule::Strict),
        "ignore" => Ok(ZoneRule::Ignore),
        other => Err(format!("unknown rule {other}").into()),
    }
}
