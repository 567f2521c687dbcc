//! Verdicts, and how they are told.

use super::*;
use crate::drill::history::Earlier;

fn figures(outages: &[Option<u64>]) -> Figures {
    let outages = outages.iter().zip(1u32..);
    let outages = outages.map(|(ms, id)| (ShardId(id), ms.map(Duration::from_millis)));
    Figures { outages: outages.collect(), ..Figures::default() }
}

fn hypothesis() -> Hypothesis {
    Hypothesis { outage: Duration::from_millis(500), lost: 0, failed: Some(0) }
}

fn check(figures: &Figures) -> Verdict {
    verdict(&judge(&hypothesis(), figures), false)
}

#[test]
fn a_drill_passes_when_every_line_holds() {
    let figures = figures(&[Some(12), Some(500)]);
    let lines = judge(&hypothesis(), &figures);
    assert_eq!(verdict(&lines, false), Verdict::Passed);
    assert_eq!(lines[0].measured, "500.0 ms (s2)");
    assert_eq!(lines[0].expected, "at most 500ms");
    assert_eq!(verdict(&lines, true), Verdict::Stopped);
}

#[test]
fn one_shard_that_is_too_slow_fails_it() {
    assert_eq!(check(&figures(&[Some(12), Some(501)])), Verdict::Failed);
}

#[test]
fn what_is_not_known_fails_it() {
    assert_eq!(check(&figures(&[Some(12), None])), Verdict::Failed);
    assert_eq!(check(&figures(&[])), Verdict::Failed);
    let mut figures = figures(&[Some(12)]);
    figures.counts.not_read = 1;
    let lines = judge(&Hypothesis { failed: None, ..hypothesis() }, &figures);
    assert_eq!(lines[1].measured, "0, and 1 could not be read back");
    assert_eq!(verdict(&lines, false), Verdict::Failed);
}

#[test]
fn lost_writes_and_failed_requests_fail_it() {
    let mut lost = figures(&[Some(1)]);
    lost.counts.lost = 1;
    assert_eq!(check(&lost), Verdict::Failed);
    let mut unknown = figures(&[Some(1)]);
    unknown.counts.unknown = 1;
    assert_eq!(check(&unknown), Verdict::Failed);
    let lines = judge(&Hypothesis { failed: None, ..hypothesis() }, &unknown);
    assert_eq!(verdict(&lines, false), Verdict::Passed);
}

#[test]
fn a_comparison_of_nothing_does_not_hold() {
    let mut figures = figures(&[Some(1)]);
    let compared = |of, as_expected| Comparison { what: "records".into(), of, as_expected };
    figures.comparisons = vec![compared(4, 4)];
    assert_eq!(check(&figures), Verdict::Passed);
    figures.comparisons = vec![compared(4, 3)];
    assert_eq!(check(&figures), Verdict::Failed);
    figures.comparisons = vec![compared(0, 0)];
    assert_eq!(check(&figures), Verdict::Failed);
}

#[test]
fn a_report_tells_the_verdict_first() {
    let figures = figures(&[Some(62)]);
    let hypothesis = judge(&hypothesis(), &figures);
    let report = Report {
        drill: "mine".into(),
        about: "It tries.".into(),
        cluster: "c".into(),
        verdict: verdict(&hypothesis, false),
        why: None,
        r#try: None,
        outage_ms: figures.longest().map(milliseconds),
        quiet_ms: Some(3.0),
        shards: shard_rows(&figures, |_| "default".into()),
        hypothesis,
        steps: vec![StepRow {
            number: 1,
            what: "kill n1".into(),
            done: vec!["n1 killed".into()],
            took_ms: Some(5_000),
        }],
        failovers: vec![Failover {
            step: 1,
            shard: 1,
            leader: Some("n2".into()),
            what: "n2 leads s1, term 2".into(),
            phases: Phases { detect_us: Some(1_500), ..Phases::default() },
        }],
        acknowledged: 9,
        checked: 9,
        lost: 0,
        lost_keys: Vec::new(),
        not_read: 0,
        unknown: 0,
        errors: 0,
        reasons: Vec::new(),
        healed: Vec::new(),
        started_unix_ms: 0,
        took_ms: 5_000,
        earlier: Some(Earlier { runs: 3, median_outage_ms: 60.0, difference_ms: Some(2.0) }),
    };
    let text = report.text();
    assert!(text.starts_with("mine PASSED in 5.0 s\n"), "{text}");
    assert!(text.contains("median outage of 3 earlier runs: 60.0 ms; this one +2.0 ms"), "{text}");
    let markdown = report.markdown();
    for part in [
        "# Drill mine: PASSED",
        "| longest write outage of a shard | at most 500ms | 62.0 ms (s1) | held |",
        "1. kill n1 (5000 ms)\n   - n1 killed",
        "| 1 | n2 leads s1, term 2 | 1.5 ms | – | – | – | – |",
        "| s1 | default | 62.0 ms | 0 | 0 |",
    ] {
        assert!(markdown.contains(part), "{markdown}: lacks {part}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["verdict"], "passed");
    assert_eq!(json["failovers"][0]["phases"]["detect_us"], 1_500);
}
