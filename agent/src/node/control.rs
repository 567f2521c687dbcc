//! Opens the control plane's parts over everything that they see and ask.

use std::sync::{Arc, Mutex};

use evenkeel_shared::client::Pool;

use crate::config::Config;
use crate::control::journal::Journal;
use crate::control::leader::Leader;
use crate::control::observer::{Myself, Observer};
use crate::control::operator::Operator;
use crate::control::ports::Orders;
use crate::control::system::System;
use crate::control::unmerged::Unmerged;
use crate::env::Env;
use crate::heartbeat::Pulse;
use crate::heartbeat::ports::Groups;
use crate::rpc::identity::Identity;
use crate::rpc::links::Links;
use crate::rpc::orders::LaneOrders;
use crate::store::group::Group;
use crate::store::router::Router;

/// The control plane's parts.
pub(super) struct Control {
    pub(super) system: Arc<System>,
    pub(super) journal: Arc<Journal>,
    pub(super) observer: Arc<Observer>,
    pub(super) operator: Arc<Operator>,
}

/// Who this node is and how it was started.
pub(super) struct ControlPorts<'a> {
    pub(super) env: &'a Env,
    pub(super) config: &'a Config,
    pub(super) identity: &'a Identity,
}

impl Control {
    pub(super) fn open(
        ports: &ControlPorts<'_>,
        (links, pool, router): (Arc<Links>, Pool, Arc<Router>),
        (pulse, groups, system_group): (Arc<Pulse>, Arc<dyn Groups>, Arc<Group>),
    ) -> Self {
        let ControlPorts { env, config, identity } = ports;
        let (me, replicas) = (router.me, router.replicas.clone());
        let facts = system_group.machine().facts();
        let leader = Arc::new(Leader::new(me, (*env).clone(), replicas.clone()));
        let orders: Arc<dyn Orders> = Arc::new(LaneOrders { links, pool, facts: facts.clone() });
        let system = Arc::new(System { me, replicas, router, orders, leader, facts });
        let unmerged = Unmerged::new(env, &config.data);
        let journal = Arc::new(Journal::new(me, env.clock.clone(), unmerged));
        let myself =
            Myself { node: me, name: config.name.clone(), incarnation: identity.incarnation() };
        let observer =
            Arc::new(Observer::new(myself, env.clock.clone(), pulse, groups, system_group));
        let operator = Arc::new(Operator {
            course: Mutex::default(),
            env: (*env).clone(),
            config: (*config).clone(),
            system: system.clone(),
            journal: journal.clone(),
            observer: observer.clone(),
            preflights: Mutex::default(),
        });
        Self { system, journal, observer, operator }
    }
}
