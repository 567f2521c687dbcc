//! What can go wrong: the kinds of fault, whom one strikes, and which ways it cuts.
//!
//! Pure: it names nodes by their number and does nothing to them.

use std::fmt;
use std::time::Duration;

/// Zones of the nodes: losing one leaves a majority of nodes, and of every shard that is spread.
pub(crate) const ZONES: [&str; 5] = ["a", "a", "b", "b", "c"];
/// How many nodes there are.
pub(crate) const NODES: usize = ZONES.len();

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// SIGKILL, and a new start.
    Kill,
    /// SIGSTOP, and SIGCONT: silent, with open connections.
    Freeze,
    /// Two nodes and three that don't reach each other.
    Halves,
    /// The node that leads most reaches no other; clients reach it.
    IsolatedLeader,
    /// What a node says is lost; it hears the others.
    Unheard,
    /// What the others say to a node is lost; they hear it.
    Deaf,
    /// A node's links come and go.
    Flapping,
    /// All nodes of a zone are killed at once.
    ZoneKilled,
    /// All nodes of a zone reach nobody, and nobody them.
    ZoneCut,
}

impl Kind {
    /// Every kind, in the order of the first pass.
    pub(crate) const ALL: [Self; 9] = [
        Self::Kill,
        Self::Freeze,
        Self::Halves,
        Self::IsolatedLeader,
        Self::Unheard,
        Self::Deaf,
        Self::Flapping,
        Self::ZoneKilled,
        Self::ZoneCut,
    ];
}

/// Whom a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Victims {
    /// These nodes.
    Nodes(Vec<usize>),
    /// Whoever leads most shards when it begins.
    Busiest,
}

/// One planned fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What goes wrong.
    pub(crate) kind: Kind,
    /// Whom it strikes.
    pub(crate) victims: Victims,
    /// How long it stays once it was seen.
    pub(crate) hold: Duration,
    /// Of flapping: how long the links are off, and then on, before the turns that are waited for.
    pub(crate) flaps: Vec<(Duration, Duration)>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        match &self.victims {
            Victims::Nodes(nodes) => {
                nodes.iter().try_for_each(|node| write!(f, " {}", name(*node)))?;
            }
            Victims::Busiest => write!(f, " of the busiest")?,
        }
        write!(f, ", held {} ms", self.hold.as_millis())
    }
}

/// The name of a node.
pub(crate) fn name(node: usize) -> String {
    format!("n{}", node + 1)
}

/// One end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// Those who ask the cluster.
    Clients,
    /// A node.
    Node(usize),
}

/// One direction of a link: what is sent from here to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    /// Who sends.
    pub(crate) from: End,
    /// Who should hear it.
    pub(crate) to: End,
}

/// The ways that a fault of this kind cuts while it strikes these nodes.
pub(crate) fn ways(kind: Kind, victims: &[usize]) -> Vec<Way> {
    let (out, back) = match kind {
        Kind::Kill | Kind::Freeze | Kind::ZoneKilled => (false, false),
        Kind::Unheard => (true, false),
        Kind::Deaf => (false, true),
        Kind::Halves | Kind::IsolatedLeader | Kind::Flapping | Kind::ZoneCut => (true, true),
    };
    let mut others: Vec<End> =
        (0..NODES).filter(|node| !victims.contains(node)).map(End::Node).collect();
    if kind == Kind::ZoneCut {
        others.push(End::Clients);
    }
    let mut ways = Vec::new();
    for victim in victims.iter().copied().map(End::Node) {
        for other in others.iter().copied() {
            ways.extend(out.then_some(Way { from: victim, to: other }));
            ways.extend(back.then_some(Way { from: other, to: victim }));
        }
    }
    ways
}

#[test]
fn a_cut_leaves_clients_their_way_unless_a_zone_is_lost() {
    for kind in Kind::ALL {
        let cut = ways(kind, &[0, 1]);
        let clients = cut.iter().any(|way| [way.from, way.to].contains(&End::Clients));
        assert_eq!(clients, kind == Kind::ZoneCut, "{kind:?}");
    }
}

#[test]
fn one_way_is_one_way() {
    let heard = |kind, from, to| {
        !ways(kind, &[3]).contains(&Way { from: End::Node(from), to: End::Node(to) })
    };
    assert!(!heard(Kind::Unheard, 3, 0) && heard(Kind::Unheard, 0, 3));
    assert!(!heard(Kind::Deaf, 0, 3) && heard(Kind::Deaf, 3, 0));
    assert!(!heard(Kind::Halves, 0, 3) && !heard(Kind::Halves, 3, 0));
}
