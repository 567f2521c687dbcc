//! One table of a script: every key is taken by name, and what is left over is an error. Pure.

use std::time::Duration;

use toml::{Table, Value};

use super::ScriptError;

/// A table of which keys are taken.
pub(super) struct Keys {
    /// Where it stands, as `step 2`; empty at the top.
    place: String,
    table: Table,
    known: &'static [&'static str],
}

impl Keys {
    /// Checks that each key is known.
    pub(super) fn of(
        place: &str,
        table: Table,
        known: &'static [&'static str],
    ) -> Result<Self, ScriptError> {
        let keys = Self { place: place.to_owned(), table, known };
        match keys.table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(keys),
            Some(key) => Err(ScriptError {
                what: format!("there is no such key here; expected {}", listed(known)),
                hint: nearest(key, known)
                    .map_or_else(|| "leave it out".to_owned(), |near| format!("`{near}`")),
                key: keys.at(key),
            }),
        }
    }

    /// Where a key stands.
    pub(super) fn at(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}: {key}", self.place) }
    }

    /// An error of this key.
    pub(super) fn wrong(&self, key: &str, what: impl Into<String>, hint: &str) -> ScriptError {
        ScriptError { key: self.at(key), what: what.into(), hint: hint.to_owned() }
    }

    /// A value of any kind.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        debug_assert!(self.known.contains(&key), "{key} is among the known keys");
        self.table.remove(key)
    }

    /// Words.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, ScriptError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(other) => {
                let what = format!("expected words in quotes, not {}", shown(&other));
                Err(self.wrong(key, what, &format!("{key} = \"…\"")))
            }
        }
    }

    /// A length of time, at most `most`.
    pub(super) fn time(
        &mut self,
        key: &str,
        most: Duration,
    ) -> Result<Option<Duration>, ScriptError> {
        let hint = format!("{key} = \"5s\"");
        let Some(value) = self.take(key) else { return Ok(None) };
        let read = value.as_str().and_then(|text| humantime::parse_duration(text).ok());
        match read {
            Some(time) if time <= most => Ok(Some(time)),
            Some(_) => {
                let what = format!("expected at most {}", humantime::format_duration(most));
                Err(self.wrong(key, what, &hint))
            }
            None => {
                let what = format!("expected a time such as \"500ms\", not {}", shown(&value));
                Err(self.wrong(key, what, &hint))
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(
        &mut self,
        key: &str,
        (least, most): (u64, u64),
    ) -> Result<Option<u64>, ScriptError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let read = value.as_integer().and_then(|number| u64::try_from(number).ok());
        if let Some(number) = read.filter(|number| (least..=most).contains(number)) {
            return Ok(Some(number));
        }
        let what = format!("expected a number from {least} to {most}, not {}", shown(&value));
        Err(self.wrong(key, what, &format!("{key} = {least}")))
    }

    /// A table within this one, with its own keys.
    pub(super) fn inner(
        &mut self,
        key: &str,
        known: &'static [&'static str],
    ) -> Result<Option<Self>, ScriptError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Self::of(&self.at(key), table, known).map(Some),
            Some(other) => {
                let what = format!("expected a table, not {}", shown(&other));
                Err(self.wrong(key, what, &format!("[{key}]")))
            }
        }
    }
}

/// As it stands in the script.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// "a, b or c".
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// The word that is most like what was written, if one is like it at all.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|one| (edits(word, one), *one)).min()?;
    (near.0 <= 2).then_some(near.1)
}

/// Letters to be changed, added or left out between two words.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = line + 1;
        for (at, same) in other.iter().enumerate() {
            let change = before + usize::from(letter != *same);
            before = row[at + 1];
            row[at + 1] = change.min(before + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}
