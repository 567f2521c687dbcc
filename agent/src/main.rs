//! `evenkeel-agent`: the agent without the console, for the fleet.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evenkeel_agent::cli::run(std::env::args_os())
}
