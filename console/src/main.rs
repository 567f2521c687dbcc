//! The executable: wires the command line to the parts that it may not name itself.
//!
//! Nothing is decided here.

use std::io::Write;
use std::process::ExitCode;

use evenkeel::cli::{self, Characters, Colours, ConsoleOptions, Hooks, WriteLock};
use evenkeel::tui::{self, LiveFeed, ThemeChoice};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(&Hooks { agent: |words| evenkeel_agent::cli::run(words), console })
}

/// Opens the terminal console and ends when the operator leaves it.
fn console(options: ConsoleOptions) -> futures::future::BoxFuture<'static, ExitCode> {
    Box::pin(async move {
        let feed = LiveFeed::start(&options.seeds);
        let screen = tui::ConsoleOptions {
            read_only: options.lock == WriteLock::ReadOnly,
            unlocked: options.lock == WriteLock::Open,
            ascii: options.characters == Characters::Ascii,
            theme: match options.colours {
                Colours::Auto => ThemeChoice::Auto,
                Colours::Dark => ThemeChoice::Dark,
                Colours::Light => ThemeChoice::Light,
                Colours::Mono => ThemeChoice::Mono,
            },
            addresses: options.seeds,
            record: options.record,
            replay: options.replay,
            present: options.present,
            ..tui::ConsoleOptions::default()
        };
        match tui::run(screen, Box::new(feed)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(report) => {
                // Nobody may be reading any more.
                let _ = writeln!(std::io::stderr(), "error: {report:#}");
                ExitCode::FAILURE
            }
        }
    })
}
