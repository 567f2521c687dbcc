//! `evenkeel completions SHELL` and `evenkeel man`: what shells and `man` want to know, from the same
//! definition that reads the command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::arguments::Cli;
use super::{CliError, Exit, line, output};

/// Flags of `evenkeel completions`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CompletionsArguments {
    /// The shell; put what is printed where it looks for completions
    shell: Shell,
}

/// Flags of `evenkeel man`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ManArguments {
    /// Write a page for every command into this folder instead
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// Prints a shell's completions.
pub(crate) fn completions(arguments: &CompletionsArguments) -> Result<Exit, CliError> {
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "evenkeel", &mut bytes);
    output::bytes(&bytes)?;
    Ok(Exit::Done)
}

/// Prints the page of `evenkeel`, or writes those of all commands.
pub(crate) fn man(arguments: &ManArguments) -> Result<Exit, CliError> {
    let Some(folder) = &arguments.to else {
        let mut bytes = Vec::new();
        let rendered = Man::new(Cli::command()).render(&mut bytes);
        rendered.map_err(|error| CliError::local("write the page", &error))?;
        output::bytes(&bytes)?;
        return Ok(Exit::Done);
    };
    let failed = |error| CliError::local(&format!("write into {}", folder.display()), &error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
    line(format_args!(
        "a page for every command in {}: man -l FOLDER/evenkeel.1",
        folder.display()
    ))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        man(&ManArguments { to: Some(folder.path().to_owned()) }).unwrap();
        let page = std::fs::read_to_string(folder.path().join("evenkeel-node-kill.1")).unwrap();
        assert!(page.contains("SIGKILL"), "{page}");
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let mut bytes = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "evenkeel", &mut bytes);
            assert!(String::from_utf8(bytes).unwrap().contains("switchover"), "{shell}");
        }
    }
}
