//! Watch: on this connection the roles turn. The console dials, then serves; the agent calls.

use crate::event::Event;
use crate::heartbeat::Report;
use crate::view::ClusterView;

/// What a console serves to the agents that it watches.
#[tarpc::service]
pub trait Watch {
    /// The agent lives, and this is how it is.
    async fn heartbeat(report: Box<Report>);
    /// Something was written to the journal.
    async fn event(event: Event);
    /// The cluster looks different from here; sent on change and once a second.
    async fn view(view: Box<ClusterView>);
}
