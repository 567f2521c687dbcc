//! What operators declare of recovery in the toy cluster.

use std::error::Error;

use evenkeel_shared::ids::{NodeId, ShardId};
use evenkeel_shared::view::{Decision, Maintenance, PolicyVersion, Rule};
use goldenscript::{ArgumentConsumer, Command};

use super::{NOW_MS, World};
use crate::decide::script;

impl World {
    /// rule NAME=observe|advise|act .. · decide STEP yes|no · maintain NODE · copies SHARD N
    pub(super) fn declare(
        &mut self,
        command: &Command,
        args: &mut ArgumentConsumer<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let recovery = &mut self.facts.recovery;
        let until_unix_ms = NOW_MS + 60_000;
        match command.name.as_str() {
            "rule" => {
                let mut policy = recovery.policy();
                let rules = &mut policy.rules;
                for (name, rule) in [
                    ("down", &mut rules.down),
                    ("zone_lost", &mut rules.zone_lost),
                    ("slow", &mut rules.slow),
                    ("suspect", &mut rules.suspect),
                    ("disk_low", &mut rules.disk_low),
                ] {
                    *rule = match args.take_key(name) {
                        None => *rule,
                        Some("observe") => Rule::Observe,
                        Some("advise") => Rule::Advise,
                        Some("act") => Rule::Act,
                        Some(other) => return Err(format!("unknown rule {other}").into()),
                    };
                }
                recovery.policies.push(PolicyVersion {
                    version: recovery.version() + 1,
                    policy,
                    text: String::new(),
                    by: "a test".to_owned(),
                    why: String::new(),
                    unix_ms: NOW_MS,
                });
            }
            "decide" => {
                let step: String = script::position(args)?;
                let go = script::position::<String>(args)? == "yes";
                let decision = Decision { go, by: "a test".to_owned(), until_unix_ms };
                recovery.decisions.insert(step, decision);
            }
            "maintain" => {
                let (by, why) = ("a test".to_owned(), "a new disk".to_owned());
                let held = Maintenance { until_unix_ms, by, why };
                recovery.maintenance.insert(NodeId(script::position(args)?), held);
            }
            _ => {
                let shard = ShardId(script::position(args)?);
                recovery.copies.insert(shard, script::position(args)?);
            }
        }
        Ok(())
    }
}
