//! `evenkeel nodes`: one line a node.
//!
//! A figure that nobody has reported is a dash, or null in JSON (law 2).

use std::time::Duration;

use evenkeel_shared::view::{ClusterView, NodeState, NodeView};
use serde::Serialize;

use super::repeat::{self, Repeat};
use super::table::{Align, Table};
use super::{CliError, Exit, Session, format};

/// One element of `nodes --json`.
#[derive(Debug, Serialize)]
struct NodeRow<'a> {
    name: &'a str,
    id: u32,
    state: NodeState,
    zone: &'a str,
    rpc: &'a str,
    incarnation: Option<u64>,
    leaders: u32,
    replicas: u32,
    phi: Option<f64>,
    resp: Option<&'a str>,
    resp_cluster: Option<&'a str>,
    http: Option<&'a str>,
    why: &'a str,
    since: Option<String>,
    heard_ms: Option<u64>,
    round_trip_us: Option<u32>,
    writes_s: Option<f64>,
    reads_s: Option<f64>,
    write_p99_us: Option<u32>,
    cpu_percent: Option<f32>,
    rss_bytes: Option<u64>,
    disk_used_bytes: Option<u64>,
    sync_us: Option<u32>,
}

/// Runs the command.
pub(crate) async fn run(session: &Session, repeat: Repeat) -> Result<Exit, CliError> {
    let json = session.json();
    repeat::views(session, repeat, |view| {
        let rows: Vec<NodeRow<'_>> = view.nodes.iter().map(NodeRow::of).collect();
        let text =
            if json { repeat::json_line(&rows)? } else { table(view, &view.nodes).to_string() };
        Ok((text, Exit::Done))
    })
    .await
}

impl<'a> NodeRow<'a> {
    fn of(node: &'a NodeView) -> Self {
        let load = node.load.as_ref();
        Self {
            name: &node.name,
            id: node.id.0,
            state: node.state,
            zone: &node.zone,
            rpc: &node.addresses.rpc,
            incarnation: node.incarnation.map(|incarnation| incarnation.0),
            leaders: node.leaders,
            replicas: node.replicas,
            phi: node.phi.map(|phi| format::rounded(phi, 3)),
            resp: node.addresses.resp.as_deref(),
            resp_cluster: node.addresses.resp_cluster.as_deref(),
            http: node.addresses.http.as_deref(),
            why: &node.why,
            since: format::rfc3339(node.since_unix_ms),
            heard_ms: node.heard_ms,
            round_trip_us: node.round_trip_us,
            writes_s: load.map(|load| load.writes_s),
            reads_s: load.map(|load| load.reads_s),
            write_p99_us: load.and_then(|load| load.write_p99_us),
            cpu_percent: load.and_then(|load| load.cpu_percent),
            rss_bytes: load.and_then(|load| load.rss_bytes),
            disk_used_bytes: load.and_then(|load| load.disk_used_bytes),
            sync_us: load.and_then(|load| load.sync_us),
        }
    }
}

fn table(view: &ClusterView, nodes: &[NodeView]) -> Table {
    let mut table = Table::new(&[
        ("NAME", Align::Left),
        ("STATE", Align::Left),
        ("FOR", Align::Right),
        ("ZONE", Align::Left),
        ("RPC", Align::Left),
        ("START", Align::Right),
        ("LEADS", Align::Right),
        ("REPLICAS", Align::Right),
        ("PHI", Align::Right),
        ("WRITES/S", Align::Right),
        ("P99", Align::Right),
        ("CPU %", Align::Right),
        ("RSS", Align::Right),
        ("WHY", Align::Left),
    ]);
    for node in nodes {
        let load = node.load.as_ref();
        let lasted = view.taken_unix_ms.saturating_sub(node.since_unix_ms);
        table.row([
            node.name.clone(),
            node.state.to_string(),
            format::span(Duration::from_millis(lasted)),
            node.zone.clone(),
            node.addresses.rpc.clone(),
            format::known(node.incarnation),
            node.leaders.to_string(),
            node.replicas.to_string(),
            format::fraction(node.phi, 1),
            format::fraction(load.map(|load| load.writes_s), 0),
            format::known(
                load.and_then(|load| load.write_p99_us).map(|us| format::micros(us.into())),
            ),
            format::fraction(load.and_then(|load| load.cpu_percent).map(f64::from), 1),
            format::known(load.and_then(|load| load.rss_bytes).map(format::bytes)),
            node.why.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::fake::sample_view;

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let view = sample_view();
        let json = serde_json::to_value(NodeRow::of(&view.nodes[0])).unwrap();
        assert_eq!(json["name"], "n1");
        assert_eq!(json["id"], 1);
        assert_eq!(json["state"], "UP");
        assert_eq!(json["zone"], "a");
        assert_eq!(json["rpc"], "127.0.0.1:7410");
        assert_eq!(json["incarnation"], 1);
        assert_eq!(json["leaders"], 1);
        assert_eq!(json["replicas"], 2);
        assert_eq!(json["phi"], 0.1);
    }

    #[test]
    fn what_was_never_heard_is_null_in_json_and_a_dash_in_the_table() {
        let mut view = sample_view();
        view.nodes[0].phi = None;
        view.nodes[0].load = None;
        let json = serde_json::to_value(NodeRow::of(&view.nodes[0])).unwrap();
        assert!(json["phi"].is_null() && json["writes_s"].is_null());
        let table = table(&view, &view.nodes[..1]).to_string();
        let line = table.lines().nth(1).unwrap();
        assert_eq!(line.split_whitespace().filter(|cell| *cell == "-").count(), 5, "{line}");
    }
}
