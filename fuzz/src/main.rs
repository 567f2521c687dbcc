//! The command: which targets run, for how long, and what is said of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use color_eyre::eyre::{Result, WrapErr, bail, eyre};
use evenkeel_agent::env::fs::{RealDisk, replace};
use evenkeel_fuzz::engine::{Budget, Target, run, try_one};
use evenkeel_fuzz::targets;

/// Feeds mutated input to everything that decodes bytes of others or of the disk.
#[derive(Parser)]
struct Arguments {
    /// Which ones; all when none is named.
    targets: Vec<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 60)]
    secs: u64,
    /// Another seed draws other inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Decodes this one input instead, and lets a panic through.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let all = targets::all();
    let chosen: Vec<&dyn Target> = if arguments.targets.is_empty() {
        all.iter().map(Box::as_ref).collect()
    } else {
        let find = |name: &String| {
            let found = all.iter().find(|target| target.name() == name);
            found.map(Box::as_ref).ok_or_else(|| eyre!("there is no target {name}"))
        };
        arguments.targets.iter().map(find).collect::<Result<_>>()?
    };
    if let Some(file) = &arguments.replay {
        let [target] = chosen[..] else { bail!("name the one target that the input is for") };
        let input = std::fs::read(file).wrap_err("read the input")?;
        let (accepted, taken) = try_one(target, &input).map_err(|why| eyre!(why))?;
        println!("{}: accepted {accepted}, {taken} bytes allocated", target.name());
        return Ok(());
    }
    println!("| target | inputs | accepted | refused | most allocated | failed |");
    println!("|---|---|---|---|---|---|");
    // What a decoder says as it panics is in the report; hundreds of backtraces are not wanted.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = false;
    for target in chosen {
        let tally = run(target, arguments.seed, Budget::Time(Duration::from_secs(arguments.secs)));
        let (name, refused) = (target.name(), tally.inputs - tally.accepted);
        let kib = tally.memory_bytes.div_ceil(1024);
        let count = u8::from(tally.failed.is_some());
        println!(
            "| {name} | {} | {} | {refused} | {kib} KiB | {count} |",
            tally.inputs, tally.accepted
        );
        if let Some((input, why)) = tally.failed {
            failed = true;
            let mut file = format!("fuzz-{name}-");
            write!(file, "{}", &blake3::hash(&input).to_hex()[..12])?;
            replace(&RealDisk, Path::new(&file), &input).wrap_err("write the input")?;
            println!("{why}\n  cargo run -p evenkeel-fuzz -- {name} --replay {file}");
        }
    }
    // What there is to say stands above; a report with a backtrace of this function would hide it.
    std::process::exit(i32::from(failed));
}
