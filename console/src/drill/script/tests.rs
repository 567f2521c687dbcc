//! What a script may say, and what it is told when it says something else.

use super::*;
use crate::drill::shipped::{self, SHIPPED};

const WHOLE: &str = r#"
name = "mine"
[hypothesis]
outage = "500ms"
[[step]]
do = "kill"
"#;

/// What is wrong with the script in which `old` is `new`.
fn wrong(old: &str, new: &str) -> String {
    let text = WHOLE.replace(old, new);
    assert_ne!(text, WHOLE, "{old} is in the script");
    let error = read(&text).expect_err(&text);
    format!("{error} | try: {}", error.hint)
}

fn check(old: &str, new: &str, expected: &[&str]) {
    let text = wrong(old, new);
    for part in expected {
        assert!(text.contains(part), "{text}: lacks {part}");
    }
}

#[test]
fn what_is_left_out_is_as_documented() {
    let script = read(WHOLE).unwrap();
    assert_eq!(script.hypothesis.lost, 0);
    assert_eq!(script.hypothesis.failed, None);
    assert_eq!(script.probe.writers, 32);
    let lasts = Duration::from_secs(5);
    assert_eq!(script.steps, [Step { what: What::Kill(Whom::BusiestLeader), lasts }]);
}

#[test]
fn a_key_that_is_not_known_is_named_with_the_one_that_was_meant() {
    check(
        "do =",
        "nod = \"n1\"\ndo =",
        &["step 1: nod", "expected do, node or for", "try: `node`"],
    );
    check("outage", "outtage", &["hypothesis: outtage", "try: `outage`"]);
    check("name", "nam", &["nam: ", "expected name, about", "try: `name`"]);
    check("do =", "zone = \"a\"\ndo =", &["step 1: zone"]);
}

#[test]
fn a_value_that_is_not_understood_is_named_with_what_was_expected() {
    check("\"kill\"", "\"kil\"", &["step 1: do", "expected kill, freeze", "do = \"kill\""]);
    check("do = \"kill\"", "for = \"1s\"", &["step 1: do", "not nothing"]);
    check("\"500ms\"", "500", &["hypothesis: outage", "a time such as", "not 500"]);
    check("\"500ms\"", "\"2h\"", &["expected at most 1h"]);
    check("\"mine\"", "\"my own\"", &["name: ", "letters, figures and hyphens"]);
    check("[[step]]", "[probe]\nwriters = 0\n[[step]]", &["probe: writers", "from 1 to 4096"]);
    check("\"kill\"", "\"kill\"\nnode = \"each\"", &["step 1: node", "only `restart`"]);
    check("\"kill\"", "\"cut\"\nnode = \"n1\"\nzone = \"a\"", &["step 1: zone", "not both"]);
    check("name = \"mine\"", "", &["name: it is missing"]);
    check("outage = \"500ms\"", "", &["hypothesis: outage: it is missing"]);
}

#[test]
fn a_restore_needs_a_backup_before_it() {
    check("\"kill\"", "\"restore-and-undo\"", &["step 1: do", "a step `backup` before"]);
    let both = "\"backup\"\n[[step]]\ndo = \"restore-and-undo\"";
    assert_eq!(read(&WHOLE.replace("\"kill\"", both)).unwrap().steps.len(), 2);
}

#[test]
fn what_is_no_toml_names_the_line() {
    check("[[step]]", "[[step]", &["the script: it is not TOML", "line 5", "drill show"]);
}

#[test]
fn zones_and_nodes_are_told_by_their_words() {
    let cut = |line: &str| {
        let text = WHOLE.replace("\"kill\"", &format!("\"cut\"\n{line}"));
        read(&text).unwrap().steps[0].what.clone()
    };
    let largest = What::Cut(Part::Zone(Zone::LargestSafe));
    assert_eq!(cut("zone = \"largest-that-is-safe\""), largest);
    assert_eq!(cut("zone = \"a\""), What::Cut(Part::Zone(Zone::Named("a".into()))));
    assert_eq!(cut("node = \"most-leaders\""), What::Cut(Part::Node(Whom::MostLeaders)));
    assert_eq!(cut(""), What::Cut(Part::Node(Whom::BusiestLeader)));
}

#[test]
fn every_shipped_script_is_read_and_is_called_as_it_is_found() {
    for (name, text) in SHIPPED {
        let script = read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(script.name, name);
        assert!(!script.about.is_empty());
        assert_eq!(shipped::text(name), Some(text));
    }
}
