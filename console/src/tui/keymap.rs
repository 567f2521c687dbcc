//! Which key means what: the one table, with the operator's own keys in the place of some of its.
//!
//! Read from `console.toml`; whatever makes no sense there is told before the terminal is taken.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::action::{BINDINGS, Binding, Chord, Command, Screen};
use super::options::ThemeChoice;

/// The operator's own settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The colours, unless the command line names some.
    pub(crate) theme: Option<ThemeChoice>,
    /// Whether to draw with ASCII glyphs only.
    pub(crate) ascii: bool,
    /// The keys.
    pub(crate) keys: Keymap,
}

/// Keys in the place of those of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keymap {
    own: BTreeMap<Command, (Chord, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    theme: Option<String>,
    #[serde(default)]
    ascii: bool,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

/// Reads `console.toml`.
pub(crate) fn read(text: &str) -> Result<Settings, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let theme = match file.theme.as_deref() {
        None | Some("auto") => None,
        Some("dark") => Some(ThemeChoice::Dark),
        Some("light") => Some(ThemeChoice::Light),
        Some("mono") => Some(ThemeChoice::Mono),
        Some(other) => {
            return Err(format!("theme = {other:?} is none of auto, dark, light, mono"));
        }
    };
    Ok(Settings { theme, ascii: file.ascii, keys: Keymap::read(&file.keys)? })
}

impl Keymap {
    fn read(keys: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut keymap = Self::default();
        for (name, key) in keys {
            let line = BINDINGS.iter().find(|line| word(line.command) == *name);
            let line = line.ok_or_else(|| unknown(name))?;
            let chord = chord(key).ok_or_else(|| {
                format!("keys.{name} = {key:?} is no key: try \"ctrl-k\", \"F5\", \"K\"")
            })?;
            keymap.own.insert(line.command, (chord, key.clone()));
        }
        for screen in Screen::ALL {
            keymap.check(screen)?;
        }
        Ok(keymap)
    }

    /// No key may mean two things on one screen.
    fn check(&self, screen: Screen) -> Result<(), String> {
        let lines: Vec<&Binding> = BINDINGS.iter().filter(|line| line.works_on(screen)).collect();
        for (place, line) in lines.iter().enumerate() {
            for other in &lines[place + 1..] {
                let (own, others) = (self.chords(line), self.chords(other));
                if own.iter().any(|chord| others.contains(chord)) {
                    let (one, two) = (word(line.command), word(other.command));
                    let screen = screen.name();
                    return Err(format!("keys.{one} and keys.{two} are the same on {screen}"));
                }
            }
        }
        Ok(())
    }

    fn chords<'a>(&'a self, line: &'a Binding) -> &'a [Chord] {
        let own = self.own.get(&line.command).map(|(chord, _)| std::slice::from_ref(chord));
        own.unwrap_or(line.chords)
    }

    /// The line for a key on a screen.
    pub(crate) fn lookup(&self, chord: Chord, screen: Screen) -> Option<&'static Binding> {
        let mut lines = BINDINGS.iter().filter(|line| line.works_on(screen));
        lines.find(|line| self.chords(line).contains(&chord))
    }

    /// The keys of a line, as help writes them.
    pub(crate) fn label(&self, line: &Binding) -> Cow<'static, str> {
        match self.own.get(&line.command) {
            Some((_, key)) => Cow::Owned(key.clone()),
            None => Cow::Borrowed(line.label),
        }
    }
}

/// A command as `console.toml` calls it: `freeze-node`.
fn word(command: Command) -> String {
    let mut word = String::new();
    for c in format!("{command:?}").replace(['(', ')'], "").chars() {
        if c.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

fn unknown(name: &str) -> String {
    let names: Vec<String> = BINDINGS.iter().map(|line| word(line.command)).collect();
    let near = names
        .iter()
        .max_by_key(|known| known.chars().zip(name.chars()).take_while(|(a, b)| a == b).count());
    let near = near.map(|near| format!(": did you mean keys.{near}?")).unwrap_or_default();
    format!("keys.{name} is nothing that a key does{near}")
}

/// A key by its name; one character is itself, capitals as such.
fn chord(key: &str) -> Option<Chord> {
    let mut characters = key.chars();
    if let (Some(one), None) = (characters.next(), characters.next()) {
        return Some(Chord::Char(one));
    }
    crokey::parse(key).ok().map(|key| Chord::of(key.into()))
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;

    fn keys(text: &str) -> Keymap {
        read(text).unwrap_or_else(|error| panic!("{error}")).keys
    }

    #[test]
    fn an_own_key_takes_the_place_of_the_tables() {
        let keymap = keys("[keys]\nkill = \"ctrl-k\"\nhelp = \"F2\"\n");
        let nodes = Screen::Nodes;
        let found = |chord| keymap.lookup(chord, nodes).map(|line| line.command);
        assert_eq!(found(Chord::Ctrl('k')), Some(Command::Kill));
        assert_eq!(found(Chord::Char('K')), None);
        assert_eq!(found(Chord::Key(KeyCode::F(2))), Some(Command::Help));
        assert_eq!(found(Chord::Char('j')), Some(Command::Down), "the others stay");
        let kill = keymap.lookup(Chord::Ctrl('k'), nodes).expect("bound");
        assert_eq!(keymap.label(kill), "ctrl-k");
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, words) in [
            ("[keys]\nkil = \"x\"", "keys.kil is nothing that a key does: did you mean keys.kill?"),
            ("[keys]\nkill = \"hyper-q-q\"", "keys.kill = \"hyper-q-q\" is no key"),
            ("[keys]\nkill = \"D\"", "keys.kill and keys.drain are the same on Nodes"),
            ("theme = \"pink\"", "theme = \"pink\" is none of auto, dark, light, mono"),
            ("colour = 1", "unknown field `colour`"),
        ] {
            let error = read(text).map(|_| ()).expect_err(text);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn every_command_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<String> =
            BINDINGS.iter().map(|line| word(line.command)).collect();
        let commands: std::collections::BTreeSet<Command> =
            BINDINGS.iter().map(|line| line.command).collect();
        assert_eq!(words.len(), commands.len());
    }
}
