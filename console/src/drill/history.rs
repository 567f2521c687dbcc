//! What earlier runs have shown: one JSON line a run, in the user's state folder.
//!
//! A line that can't be read is passed over: another version may have written it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::report::{Report, Verdict};

/// One run, in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// When it began.
    pub(crate) unix_ms: u64,
    /// The drill's name.
    pub(crate) drill: String,
    /// The cluster.
    pub(crate) cluster: String,
    /// How it came out.
    pub(crate) verdict: Verdict,
    /// The longest write outage of any probed shard.
    pub(crate) outage_ms: Option<f64>,
    /// Acknowledged writes lost.
    pub(crate) lost: u64,
    /// Requests failed or not answered.
    pub(crate) failed: u64,
    /// How long it took.
    pub(crate) took_ms: u64,
}

/// What earlier runs of one drill on one cluster have shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Earlier {
    /// Runs that ran to their ends.
    pub(crate) runs: usize,
    /// The median of their longest outages.
    pub(crate) median_outage_ms: f64,
    /// By how much this run's outage was longer.
    pub(crate) difference_ms: Option<f64>,
}

impl Run {
    /// The line of a report.
    pub(crate) fn of(report: &Report) -> Self {
        Self {
            unix_ms: report.started_unix_ms,
            drill: report.drill.clone(),
            cluster: report.cluster.clone(),
            verdict: report.verdict,
            outage_ms: report.outage_ms,
            lost: report.lost,
            failed: report.errors + report.unknown,
            took_ms: report.took_ms,
        }
    }
}

/// The runs that a file's text holds, oldest first.
pub(crate) fn read(text: &str) -> Vec<Run> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What those of one drill on one cluster have shown; `None`: there are none.
pub(crate) fn earlier(
    runs: &[Run],
    (drill, cluster): (&str, &str),
    outage_ms: Option<f64>,
) -> Option<Earlier> {
    let same = |run: &&Run| {
        run.drill == drill && run.cluster == cluster && run.verdict != Verdict::Stopped
    };
    let outages: Vec<f64> = runs.iter().filter(same).filter_map(|run| run.outage_ms).collect();
    let median_outage_ms = median(&outages)?;
    let difference = outage_ms.map(|this| ((this - median_outage_ms) * 10.0).round() / 10.0);
    Some(Earlier { runs: outages.len(), median_outage_ms, difference_ms: difference })
}

/// The last run of a drill, on whatever cluster.
pub(crate) fn last<'a>(runs: &'a [Run], drill: &str) -> Option<&'a Run> {
    runs.iter().rfind(|run| run.drill == drill)
}

/// The median; of an even number, the mean of the two in the middle.
fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = sorted[sorted.len() / 2 - 1];
    Some(((lower + upper) * 5.0).round() / 10.0)
}

/// Where the lines are, if this user has a folder for such things.
pub(crate) fn file() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "evenkeel")?;
    let state = folders.state_dir().unwrap_or_else(|| folders.data_local_dir());
    Some(state.join("drills.jsonl"))
}

/// All runs. Without a file there are none.
pub(crate) fn load(file: &Path) -> io::Result<Vec<Run>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(read(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Appends one line.
fn append(file: &Path, run: &Run) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut line = serde_json::to_vec(run)?;
    line.push(b'\n');
    // In one write, so that two drills at once don't mix their lines.
    std::fs::File::options().create(true).append(true).open(file)?.write_all(&line)
}

/// Compares a run with earlier ones, and keeps a line of it.
pub(crate) fn remember(file: &Path, report: &mut Report) -> io::Result<()> {
    let runs = load(file)?;
    report.earlier = earlier(&runs, (&report.drill, &report.cluster), report.outage_ms);
    append(file, &Run::of(report))
}

/// A moment as a report has it: RFC 3339, in UTC.
pub(crate) fn day(unix_ms: u64) -> String {
    let moment = i64::try_from(unix_ms).ok().map(jiff::Timestamp::from_millisecond);
    moment.and_then(Result::ok).map_or_else(|| "-".to_owned(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(drill: &str, cluster: &str, verdict: Verdict, outage_ms: Option<f64>) -> Run {
        Run {
            unix_ms: 1,
            drill: drill.into(),
            cluster: cluster.into(),
            verdict,
            outage_ms,
            lost: 0,
            failed: 0,
            took_ms: 1,
        }
    }

    #[test]
    fn the_median_is_of_the_same_drill_on_the_same_cluster() {
        let runs = [
            run("a", "1", Verdict::Passed, Some(10.0)),
            run("a", "1", Verdict::Failed, Some(30.0)),
            run("a", "1", Verdict::Passed, Some(60.0)),
            run("a", "1", Verdict::Stopped, Some(9_000.0)),
            run("a", "2", Verdict::Passed, Some(9_000.0)),
            run("b", "1", Verdict::Passed, Some(9_000.0)),
            run("a", "1", Verdict::Failed, None),
        ];
        let found = earlier(&runs, ("a", "1"), Some(25.5)).unwrap();
        let expected = Earlier { runs: 3, median_outage_ms: 30.0, difference_ms: Some(-4.5) };
        assert_eq!(found, expected);
        let expected = Earlier { runs: 2, median_outage_ms: 20.0, difference_ms: None };
        assert_eq!(earlier(&runs[..2], ("a", "1"), None), Some(expected));
        assert_eq!(earlier(&runs, ("c", "1"), Some(1.0)), None);
        assert_eq!(last(&runs, "b").unwrap().cluster, "1");
    }

    #[test]
    fn lines_are_appended_and_read_and_others_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("below").join("drills.jsonl");
        assert_eq!(load(&file).unwrap(), []);
        let first = run("a", "1", Verdict::Passed, Some(1.5));
        append(&file, &first).unwrap();
        std::fs::File::options().append(true).open(&file).unwrap().write_all(b"odd\n").unwrap();
        append(&file, &run("b", "1", Verdict::Stopped, None)).unwrap();
        let all = load(&file).unwrap();
        assert_eq!((all.len(), &all[0]), (2, &first));
    }
}
