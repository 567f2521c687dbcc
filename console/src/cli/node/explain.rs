//! `evenkeel node explain`: a verdict with all that it rests on.

use evenkeel_shared::dossier::{AxisEvidence, Dossier};
use evenkeel_shared::ids::NodeId;
use evenkeel_shared::view::{ClusterView, NodeState};
use evenkeel_shared::wire::deadline::Deadline;
use serde::Serialize;

use crate::cli::session::{Operator, node_name};
use crate::cli::table::{Align, Table};
use crate::cli::{CliError, Exit, Session, format, json, output};

/// What `node explain --json` prints.
#[derive(Debug, Serialize)]
struct DossierRow {
    name: String,
    state: NodeState,
    since: Option<String>,
    why: String,
    observer: String,
    /// Name, and whether it holds the node dead; null when it can't be relied on.
    others: Vec<(String, Option<bool>)>,
    axes: Vec<AxisEvidence>,
    phi_curve: Vec<(u32, f64)>,
    flips: Vec<String>,
}

/// Asks and prints.
pub(super) async fn run(
    session: &Session,
    operator: &Operator,
    view: &ClusterView,
    node: NodeId,
) -> Result<Exit, CliError> {
    let context = Deadline::after(session.timeout()).context();
    let answer = operator.client.dossier(context, node).await;
    let row = DossierRow::of(view, answer.map_err(|error| operator.silent(&error))??);
    if session.json() {
        json(&row)?;
    } else {
        output::text(row.text())?;
    }
    Ok(Exit::Done)
}

impl DossierRow {
    fn of(view: &ClusterView, dossier: Dossier) -> Self {
        let named = |(node, word): (NodeId, Option<bool>)| (node_name(view, node), word);
        Self {
            name: node_name(view, dossier.node),
            state: dossier.state,
            since: format::rfc3339(dossier.since_unix_ms),
            why: dossier.why,
            observer: node_name(view, dossier.observer),
            others: dossier.others.into_iter().map(named).collect(),
            axes: dossier.axes,
            phi_curve: dossier.curve,
            flips: dossier.flips,
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} is {}: {}\n", self.name, self.state, self.why);
        format::append(&mut text, format_args!("as seen by {}\n\n", self.observer));
        let columns = [("AXIS", Align::Left), ("", Align::Left), ("EVIDENCE", Align::Left)];
        let mut table = Table::new(&columns);
        for axis in &self.axes {
            let mark = if axis.against { "AGAINST" } else { "" };
            table.row([axis.axis.clone(), mark.to_owned(), axis.seen.clone()]);
        }
        text.push_str(&table.to_string());
        let of = |word| {
            let nodes = self.others.iter().filter(|(_, said)| *said == word);
            format::list(nodes.map(|(name, _)| name.clone()))
        };
        format::append(
            &mut text,
            format_args!(
                "\nheld dead by {}; not by {}; no word from {}\n",
                of(Some(true)),
                of(Some(false)),
                of(None)
            ),
        );
        if !self.phi_curve.is_empty() {
            let points = self.phi_curve.iter().map(|(ms, phi)| format!("{ms} ms {phi:.1}"));
            let points = points.collect::<Vec<_>>().join(", ");
            format::append(&mut text, format_args!("phi after a silence of {points}\n"));
        }
        for flip in &self.flips {
            format::append(&mut text, format_args!("- {flip}\n"));
        }
        text
    }
}
