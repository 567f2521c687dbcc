//! What can lie over a screen. Keys go to the uppermost layer first.

use tui_input::Input;

use super::dialog::Dialog;
use super::drill::DrillDialog;
use super::policy::PolicyForm;
use super::what_if::WhatIfForm;

/// One layer.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    /// Details of the chosen row, over the whole body; keys of the screen work on.
    Detail,
    /// The list of keys, scrolled by so many lines.
    Help(u16),
    /// The palette: what is being looked for, and which of what was found is chosen.
    Palette {
        /// The letters.
        input: Input,
        /// The row.
        chosen: usize,
    },
    /// The time to go to.
    GoTo {
        /// The line being written.
        input: Input,
        /// Why the last one was not understood.
        hint: Option<String>,
    },
    /// The stretch of time to save.
    Save {
        /// The line being written.
        input: Input,
        /// Why the last one was not understood.
        hint: Option<String>,
    },
    /// The choice of a drill, and its confirmation.
    Drill(Box<DrillDialog>),
    /// What is different between the marked moment and the one that is shown, scrolled.
    Changes(u16),
    /// The recovery policy, being changed.
    Policy(Box<PolicyForm>),
    /// Changes that are only thought of.
    WhatIf(Box<WhatIfForm>),
    /// The filter's line, with what it was before.
    Filter {
        /// The line being written.
        input: Input,
        /// What Esc puts back.
        before: String,
    },
    /// The confirmation of a harmful act.
    Dialog(Box<Dialog>),
}
