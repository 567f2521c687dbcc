//! What a death is foretold to do, and what can be written after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use evenkeel_shared::client::StoreHandle;
use evenkeel_shared::ids::ShardId;
use evenkeel_shared::preflight::Action;
use evenkeel_shared::service::admin::AdminClient;
use evenkeel_shared::view::{FailoverMode, NodeState, RecoveryChange};
use evenkeel_shared::wire::deadline::Deadline;
use futures::future::join_all;

use super::Clients;
use crate::agent::{address, name};

/// How long an agent may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long a shard may take to be written again after a death, before it counts as unavailable.
const ELECTED_MAX: Duration = Duration::from_secs(12);
/// Keys that are put to find one of each shard.
const KEYS: u32 = 200;

/// One key of each shard.
pub(super) type KeyOfEach = BTreeMap<ShardId, Bytes>;

impl Clients {
    /// Puts keys until each shard of data has one.
    pub async fn one_key_of_each(self) -> Result<KeyOfEach, String> {
        let (store, ..) = self.open();
        let mut keys = KeyOfEach::new();
        for number in 0..KEYS {
            let key = Bytes::from(format!("each{number}"));
            let put = store.put(key.clone(), Bytes::from_static(b"0")).await;
            let written = put.map_err(|error| error.to_string())?;
            let position = written.position.ok_or("an acknowledged write has a position")?;
            keys.entry(position.shard).or_insert(key);
            if keys.len() == usize::from(self.layout.shards) {
                return Ok(keys);
            }
        }
        Err(format!("{KEYS} keys lie in {} shards only", keys.len()))
    }

    /// What one agent says of another's death once it knows who has died before: the shards that it
    /// would leave without a majority, and the facts' revision at which it says so.
    pub async fn foretell(
        self,
        asked: usize,
        (dead, dies): (Vec<usize>, usize),
    ) -> (u64, BTreeSet<ShardId>) {
        loop {
            if let Ok(told) = self.foretell_once(asked, &dead, dies).await {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn foretell_once(
        &self,
        asked: usize,
        dead: &[usize],
        dies: usize,
    ) -> Result<(u64, BTreeSet<ShardId>), String> {
        let admin = self.admin(asked).await?;
        let context = || Deadline::after(ANSWER_MAX).context();
        let view = admin.view(context()).await.map_err(|error| error.to_string())?;
        let is_down = |name: String| {
            let node = view.nodes.iter().find(|node| node.name == name);
            node.is_some_and(|node| node.state == NodeState::Down)
        };
        if !dead.iter().all(|number| is_down(name(*number))) {
            return Err("it does not know yet who has died".to_owned());
        }
        let named = view.nodes.iter().find(|node| node.name == name(dies));
        let node = named.ok_or("it does not know that node")?.id;
        let action = Action::Kill { node, down_secs: None };
        let asked = admin.preflight(context(), action).await.map_err(|error| error.to_string())?;
        let flight = asked.map_err(|error| error.to_string())?;
        Ok((flight.revision, flight.quorum_lost.into_iter().collect()))
    }

    /// Shards that can't be written, the system shard among them.
    pub async fn unavailable(self, keys: KeyOfEach, asked: usize) -> BTreeSet<ShardId> {
        let (store, ..) = self.open();
        let data = join_all(keys.into_iter().map(|(shard, key)| {
            let store = &store;
            async move { (!can_write(store, key).await).then_some(shard) }
        }));
        let system = async {
            let kept = tokio::time::timeout(ELECTED_MAX, self.declare(asked)).await.is_ok();
            (!kept).then_some(ShardId::SYSTEM)
        };
        let (data, system) = tokio::join!(data, system);
        data.into_iter().flatten().chain(system).collect()
    }

    /// Declares what holds anyway, until the system shard has written it down.
    async fn declare(&self, asked: usize) {
        let mode = FailoverMode::Automatic;
        let action = Action::Recover(RecoveryChange::SetMode { keyspace: None, mode });
        loop {
            if let Ok(admin) = self.admin(asked).await
                && let Ok(Ok(flight)) =
                    admin.preflight(Deadline::after(ANSWER_MAX).context(), action.clone()).await
                && let Ok(Ok(_)) = admin
                    .act(
                        Deadline::after(ANSWER_MAX).context(),
                        action.clone(),
                        flight.revision,
                        "simulation".to_owned(),
                    )
                    .await
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn admin(&self, agent: usize) -> Result<AdminClient, String> {
        let (pool, _) = self.pool();
        pool.admin(&address(agent)).await.map_err(|error| error.to_string())
    }
}

/// Whether a key is written in time.
async fn can_write(store: &StoreHandle, key: Bytes) -> bool {
    let writing = async {
        while store.put(key.clone(), Bytes::from_static(b"1")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(ELECTED_MAX, writing).await.is_ok()
}
