//! `evenkeel agent rescue`: shows what stopped agents' folders hold, and writes it into an archive.

use std::io::{self, Write};

use color_eyre::eyre::{Report, WrapErr};
use serde::Serialize;

use crate::config::{LogFormat, RescueArgs};
use crate::env::Env;
use crate::logging;
use crate::node::rescue::{Left, Rescue, Rescued};

/// What `--json` prints, on one line.
#[derive(Serialize)]
struct Told<'a> {
    cluster: String,
    here: &'a [String],
    missing: &'a [String],
    system: Option<ShardTold<'a>>,
    shards: Vec<ShardTold<'a>>,
    troubles: &'a [String],
    /// What was written; `null` without `--to`.
    backup: Option<Written<'a>>,
}

#[derive(Serialize)]
struct ShardTold<'a> {
    shard: u32,
    keyspace: &'a str,
    from: Option<&'a str>,
    term: Option<u64>,
    index: Option<u64>,
    /// Entries behind the last that this copy knew to be committed: all of them are taken.
    unconfirmed: Option<u64>,
    copies: usize,
    missing: &'a [String],
    whole: bool,
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    archive: &'a str,
    shards: usize,
    records: u64,
    bytes: u64,
}

impl<'a> ShardTold<'a> {
    fn of(left: &'a Left) -> Self {
        let best = left.copies.first();
        Self {
            shard: left.shard.0,
            keyspace: &left.keyspace,
            from: best.map(|best| best.node.as_str()),
            term: best.map(|best| best.last.0),
            index: best.map(|best| best.last.1),
            unconfirmed: best.map(|best| best.last.1.saturating_sub(best.applied)),
            copies: left.copies.len(),
            missing: &left.missing,
            whole: left.whole,
        }
    }
}

impl<'a> Written<'a> {
    fn of(made: &'a Rescued, archive: &'a str) -> Self {
        let Rescued { id, shards, records, bytes, .. } = made;
        Self { id, archive, shards: *shards, records: *records, bytes: *bytes }
    }
}

/// Runs the command; whether nothing was found damaged.
pub(super) async fn run(env: Env, asked: &RescueArgs) -> Result<bool, Report> {
    logging::start(LogFormat::Text, "error").map_err(Report::msg)?;
    let mut rescue = Rescue::open(env, &asked.folders).await?;
    let (here, missing) = rescue.nodes();
    let mut left = rescue.left();
    let system = rescue.facts_left();
    if !asked.json {
        let all: Vec<&Left> = system.iter().chain(&left).collect();
        say(&plan(&rescue.cluster().to_string(), (&here, &missing), &all))?;
    }
    let mut written = None;
    if let Some(archive) = &asked.to {
        let all = left.len();
        let mut done = 0;
        let made = rescue.write(archive, &asked.empty, |image| {
            done += 1;
            let (shard, records) = (image.shard, image.records);
            // Where standard error is closed, nobody is there to be told.
            let _ = writeln!(io::stderr(), "{done} of {all}: {shard}, {records} records");
        });
        let made = made.await.wrap_err("write what is left")?;
        left.clone_from(&made.left);
        written = Some(made);
    }
    let told = Told {
        cluster: rescue.cluster().to_string(),
        here: &here,
        missing: &missing,
        system: system.as_ref().map(ShardTold::of),
        shards: left.iter().map(ShardTold::of).collect(),
        troubles: &rescue.troubles,
        backup: written
            .as_ref()
            .zip(asked.to.as_deref())
            .map(|(made, archive)| Written::of(made, archive)),
    };
    let text = if asked.json {
        serde_json::to_string(&told).wrap_err("write JSON")? + "\n"
    } else {
        told.end()
    };
    say(&text)?;
    let sound = rescue.troubles.is_empty();
    rescue.close().await;
    Ok(sound)
}

fn say(text: &str) -> Result<(), Report> {
    io::stdout().lock().write_all(text.as_bytes()).wrap_err("print what is left")
}

/// What is there, before anything is written.
fn plan(cluster: &str, (here, missing): (&[String], &[String]), left: &[&Left]) -> String {
    let gone = if missing.is_empty() {
        "no other node is known".to_owned()
    } else {
        format!("not here: {}", missing.join(", "))
    };
    let mut lines = vec![format!("cluster {cluster}: folders of {}; {gone}", here.join(", "))];
    let row = |cells: [&str; 6]| {
        let [shard, keyspace, from, ends, unconfirmed, voters] = cells;
        format!("{shard:<6} {keyspace:<16} {from:<8} {ends:<14} {unconfirmed:>11}  {voters}")
    };
    lines.push(row(["SHARD", "KEYSPACE", "FROM", "LOG ENDS AT", "UNCONFIRMED", "VOTERS"]));
    for left in left {
        let told = ShardTold::of(left);
        let ends = told.term.zip(told.index).map(|(term, index)| format!("{term}/{index}"));
        let voters = match (told.from, left.whole) {
            (None, _) => format!("nothing is left; {} held it", left.missing.join(", ")),
            (_, true) => "a majority is here".to_owned(),
            (_, false) => format!("no majority: without {}", left.missing.join(", ")),
        };
        lines.push(row([
            &left.shard.to_string(),
            &left.keyspace,
            told.from.unwrap_or("-"),
            ends.as_deref().unwrap_or("-"),
            &told.unconfirmed.map_or_else(|| "-".to_owned(), |count| count.to_string()),
            &voters,
        ]));
    }
    lines.join("\n") + "\n"
}

impl Told<'_> {
    /// What was done, what may be lost, and what to do next.
    fn end(&self) -> String {
        let mut lines: Vec<String> =
            self.troubles.iter().map(|trouble| format!("left out: {trouble}")).collect();
        let gone = self.shards.iter().filter(|shard| shard.from.is_none()).count();
        let whole = self.shards.iter().filter(|shard| shard.whole).count();
        let minority = self.shards.len() - whole - gone;
        lines.push(format!(
            "{whole} shards with all that a quorum acknowledged, {minority} that may lack what only \
             the missing had, {gone} of which nothing is left"
        ));
        if self.system.as_ref().is_none_or(|system| !system.whole) {
            lines.push(
                "of the system shard no majority is here: what was created or moved after its end \
                 is not known"
                    .to_owned(),
            );
        }
        match &self.backup {
            None => lines.push("nothing was written: name a folder with --to DIR".to_owned()),
            Some(backup) => {
                let Written { id, archive, shards, records, bytes } = backup;
                lines.push(format!(
                    "backup {id} in {archive}: {records} records of {shards} shards, {bytes} bytes"
                ));
                lines.push(format!(
                    "next: found a new cluster on empty folders, then `evenkeel restore {id} --from \
                     {archive}`; keep the old folders until it serves"
                ));
            }
        }
        lines.join("\n") + "\n"
    }
}
