//! The HTTP gateway's port to the control plane: what is observed is what is shown.

use std::sync::Arc;

use evenkeel_shared::heartbeat::Report;
use evenkeel_shared::view::ClusterView;

use crate::control::observer::Observer;
use crate::gateway::http::Monitored;

/// The control plane's eyes, for monitors.
pub struct Observations(pub Arc<Observer>);

impl Monitored for Observations {
    fn view(&self) -> ClusterView {
        self.0.view()
    }

    fn report(&self) -> Report {
        self.0.report()
    }
}
