//! `--watch`: the same question again, once a second, until interrupted.
//!
//! An answer that has not changed is not printed again.

use std::time::Duration;

use evenkeel_shared::view::ClusterView;

use super::{CliError, Exit, Session, note};

/// Between two questions; views change about once a second.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);

/// Ask once, or again and again.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub(crate) struct Repeat {
    /// Go on, printing each change; with --json one value a line
    #[arg(long)]
    pub(crate) watch: bool,
}

/// Fetches views and prints what `render` makes of them. The last one decides the exit code.
pub(crate) async fn views(
    session: &Session,
    repeat: Repeat,
    render: impl Fn(&ClusterView) -> Result<(String, Exit), CliError>,
) -> Result<Exit, CliError> {
    if !repeat.watch {
        let (text, exit) = render(&session.view().await?)?;
        super::output::text(text)?;
        return Ok(exit);
    }
    let mut printed = String::new();
    loop {
        match session.view().await {
            Ok(view) => {
                let (text, _) = render(&view)?;
                if text != printed {
                    let gap = if printed.is_empty() || session.json() { "" } else { "\n" };
                    super::output::text(format!("{gap}{text}"))?;
                    printed = text;
                }
            }
            Err(error) => note(format!("evenkeel: {error}")),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// One JSON value as a line.
pub(crate) fn json_line(value: &impl serde::Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
    Ok(text + "\n")
}
