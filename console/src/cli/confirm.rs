//! The confirmation ladder: which words of the operator open which act (law 8).
//!
//! Deciding is pure; asking is one line on standard error and one line read.

use std::io::BufRead;

use evenkeel_shared::preflight::Harm;

use super::{CliError, note, output};

/// What stands on the command line, and who sits before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent<'a> {
    /// `--yes`.
    pub(crate) agreed: bool,
    /// `--override NAME`.
    pub(crate) overriding: Option<&'a str>,
    /// Whether a question can be asked.
    pub(crate) interactive: bool,
}

/// What has to be heard before the act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Nothing.
    Go,
    /// `y`.
    Yes,
    /// These very words.
    Words(String),
    /// Nobody can be asked: the flag that is missing.
    Missing(String),
}

/// Which question the harm calls for.
pub(crate) fn question(harm: Harm, name: &str, consent: Consent<'_>) -> Question {
    let overridden = consent.overriding == Some(name);
    let open = match harm {
        Harm::None | Harm::Risk => consent.agreed || overridden,
        Harm::Break => overridden,
    };
    if open {
        return Question::Go;
    }
    match (consent.interactive, harm) {
        (true, Harm::None) => Question::Yes,
        (true, Harm::Risk) => Question::Words(name.to_owned()),
        (true, Harm::Break) => Question::Words(format!("OVERRIDE {name}")),
        (false, Harm::Break) => Question::Missing(format!("--override {name}")),
        (false, _) => Question::Missing("--yes".into()),
    }
}

/// Asks, and gives an error unless the right words were heard.
pub(crate) fn ask(question: &Question) -> Result<(), CliError> {
    let (prompt, expected): (String, &[&str]) = match question {
        Question::Go => return Ok(()),
        Question::Missing(flag) => {
            return Err(CliError::usage(
                "this needs a confirmation, and nobody can be asked here",
                format!("the same command with {flag}"),
            ));
        }
        Question::Yes => ("go on? [y/N] ".into(), &["y", "yes"]),
        Question::Words(words) => (format!("type {words} to go on: "), &[words.as_str()]),
    };
    output::prompt(prompt);
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| CliError::local("read the answer", &error))?;
    if expected.contains(&answer.trim()) {
        return Ok(());
    }
    note("");
    Err(CliError::refused("not confirmed: nothing was done", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(harm: Harm, flags: &str) -> Question {
        let consent = Consent {
            agreed: flags.contains("yes"),
            overriding: flags.split_whitespace().find_map(|flag| flag.strip_prefix("override=")),
            interactive: flags.contains("terminal"),
        };
        question(harm, "n1", consent)
    }

    #[test]
    fn yes_opens_what_breaks_nothing() {
        assert_eq!(check(Harm::None, "yes"), Question::Go);
        assert_eq!(check(Harm::Risk, "yes"), Question::Go);
    }

    #[test]
    fn yes_alone_never_opens_what_breaks() {
        assert_eq!(check(Harm::Break, "yes terminal"), Question::Words("OVERRIDE n1".into()));
        assert_eq!(check(Harm::Break, "yes"), Question::Missing("--override n1".into()));
    }

    #[test]
    fn an_override_counts_for_its_own_name_only() {
        assert_eq!(check(Harm::Break, "override=n1"), Question::Go);
        assert_eq!(
            check(Harm::Break, "yes override=n2"),
            Question::Missing("--override n1".into())
        );
    }

    #[test]
    fn a_terminal_is_asked_for_more_the_more_is_at_stake() {
        assert_eq!(check(Harm::None, "terminal"), Question::Yes);
        assert_eq!(check(Harm::Risk, "terminal"), Question::Words("n1".into()));
    }

    #[test]
    fn without_a_terminal_nothing_is_asked() {
        assert_eq!(check(Harm::None, ""), Question::Missing("--yes".into()));
        let error = ask(&check(Harm::None, "")).unwrap_err();
        assert_eq!(error.exit(), crate::cli::Exit::Usage);
    }
}
