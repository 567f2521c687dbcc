//! Whole commands against the small agent: exit codes, revisions, confirmations.

use std::time::Duration;

use clap::Parser;

use super::*;
use crate::cli::arguments::{Cli, Global};
use crate::cli::{CliError, Exit, Hooks};

async fn run(fake: &Fake, words: &str) -> Result<Exit, CliError> {
    let words = format!("evenkeel {words} --connect {}", fake.address);
    let cli = Cli::try_parse_from(words.split_whitespace()).unwrap();
    let hooks = Hooks {
        agent: |_| std::process::ExitCode::SUCCESS,
        console: |_| Box::pin(async { std::process::ExitCode::SUCCESS }),
    };
    crate::cli::run(cli.command.unwrap(), &Session::new(&cli.global), &hooks).await
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_end_with_the_exit_codes_of_the_contract() {
    let fake = Fake::start(Trouble::None).await;
    for (words, exit) in [
        ("status", Exit::Done),
        ("status --json", Exit::Done),
        ("nodes", Exit::Done),
        ("shards --json", Exit::Done),
        ("events", Exit::Done),
        ("wait --until balanced", Exit::Done),
        ("kv put a 1 --json", Exit::Done),
        ("kv get a --json", Exit::Done),
        ("kv cas a 2 --expect 1", Exit::Done),
        ("kv scan a", Exit::Done),
        ("kv delete a", Exit::Done),
        ("kv get a --json", Exit::Degraded),
        ("shard explain 1", Exit::Done),
        ("shard hashes 1", Exit::Done),
        ("shard hashes 2 --json", Exit::Degraded),
        ("backup list", Exit::Done),
    ] {
        assert_eq!(run(&fake, words).await.unwrap(), exit, "{words}");
    }
    for (words, exit) in [
        ("kv get a", Exit::Degraded),
        ("kv cas a 2 --expect 1", Exit::Degraded),
        ("shard explain 9", Exit::Degraded),
        ("node drain n9 --yes", Exit::Degraded),
        ("backup show b1", Exit::Degraded),
        ("wait --until healthy --nodes 9 --timeout 50ms", Exit::Unreachable),
    ] {
        assert_eq!(run(&fake, words).await.unwrap_err().exit(), exit, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_is_done_at_the_revision_of_its_preflight() {
    let fake = Fake::start(Trouble::None).await;
    assert_eq!(run(&fake, "node kill n1 --for 10s --yes").await.unwrap(), Exit::Done);
    let kill = Action::Kill { node: NodeId(1), down_secs: Some(10) };
    assert_eq!(fake.acts(), [(kill, 41)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_something_needs_its_override_and_what_is_refused_is_not_tried() {
    let fake = Fake::start(Trouble::None).await;
    let error = run(&fake, "node evict n1 --override n1").await.unwrap_err();
    assert_eq!(error.exit(), Exit::Degraded);
    assert!(fake.acts().is_empty());
    assert_eq!(run(&fake, "node kill n3 --override n3").await.unwrap(), Exit::Done);
    assert_eq!(fake.acts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_the_exit_code_is_3() {
    let fake =
        Fake { address: "127.0.0.1:1".into(), trouble: Trouble::None, state: Arc::default() };
    for words in ["status", "kv put a b --timeout 100ms", "wait --until reachable --timeout 50ms"] {
        assert_eq!(run(&fake, words).await.unwrap_err().exit(), Exit::Unreachable, "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_or_freezes_when_asked_is_not_the_last_that_is_asked() {
    for trouble in [Trouble::Dies, Trouble::Freezes] {
        let (sick, well) = (Fake::start(trouble).await, Fake::start(Trouble::None).await);
        let session = |seeds: &[&Fake]| {
            let connect = seeds.iter().map(|fake| fake.address.clone()).collect();
            let timeout = Some(Duration::from_secs(6));
            Session::new(&Global { connect, json: false, timeout, yes: false })
        };
        let both = session(&[&sick, &well]);
        // With a connection that stands it is asked first.
        both.operator_at(&sick.address).await.unwrap();
        assert!(both.view().await.is_ok(), "{trouble:?}");
        let alone = session(&[&sick]).view().await;
        assert_eq!(alone.unwrap_err().exit(), Exit::Unreachable, "{trouble:?}");
    }
}
