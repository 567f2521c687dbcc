//! The progress bar of a transfer: on a terminal; nothing where nobody watches.

use evenkeel_shared::files::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a transfer has come.
pub(super) struct Bar {
    bar: ProgressBar,
    resumed: u64,
}

impl Bar {
    /// A bar for so many bytes; `None`: nobody knows how many.
    pub(super) fn new(verb: &str, name: &str, bytes: Option<u64>) -> Self {
        // The name may hold what a template would take for its own.
        let known = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        let unknown = "{msg} {bytes} {bytes_per_sec} [{elapsed}]";
        let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = if bytes.is_some() { known } else { unknown };
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        bar.set_style(style);
        bar.set_message(format!("{verb} {name}"));
        Self { bar, resumed: 0 }
    }

    /// Shows it. What was there before counts for no rate.
    pub(super) fn show(&mut self, progress: Progress) {
        self.bar.set_position(progress.bytes);
        if progress.resumed != self.resumed {
            self.resumed = progress.resumed;
            self.bar.reset_eta();
        }
    }

    /// Takes it away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
