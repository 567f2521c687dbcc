//! Golden scripts for the detector: `beat`, `refused`, `expect`, `tick`, `show`; times in ms.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use goldenscript::{Command, Context};

use super::*;
use crate::decide::script;

struct Runner {
    detector: Detector,
}

impl goldenscript::Runner for Runner {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let mut out = String::new();
        match command.name.as_str() {
            // expect NODE at=MS: the node becomes known.
            "expect" => {
                let node = NodeId(script::position(&mut args)?);
                self.detector.expect(script::at(&mut args)?, node);
            }
            // beat NODE from=MS [to=MS] [every=MS-MS..] [incarnation=1]: heartbeats at these
            // intervals in turn, with a tick every 50 ms between.
            "beat" => {
                let node = NodeId(script::position(&mut args)?);
                let every: Vec<u64> = script::list(args.take_key("every").unwrap_or("100"))?;
                let incarnation = Incarnation(script::key(&mut args, "incarnation")?.unwrap_or(1));
                let from: u64 = script::key(&mut args, "from")?.ok_or("from= is missing")?;
                let to = script::key(&mut args, "to")?.unwrap_or(from);
                let (mut beat, mut beats) = (from, every.iter().cycle());
                for at in from..=to {
                    let now = Duration::from_millis(at);
                    if at == beat {
                        self.detector.heard(now, node, incarnation);
                        beat += beats.next().ok_or("every= is empty")?;
                    }
                    if (at - from).is_multiple_of(50) {
                        self.tick(now, &mut out)?;
                    }
                }
            }
            // refused NODE at=MS: the connection closed and the reconnect was refused.
            "refused" => {
                let node = NodeId(script::position(&mut args)?);
                let now = script::at(&mut args)?;
                self.detector.closed_and_refused(now, node);
                self.tick(now, &mut out)?;
            }
            // tick from=MS to=MS [every=50]: the loop runs, and reports what changes.
            "tick" => {
                let from: u64 = script::key(&mut args, "from")?.ok_or("from= is missing")?;
                let to = script::key(&mut args, "to")?.unwrap_or(from);
                let every = script::key(&mut args, "every")?.unwrap_or(50);
                for at in (from..=to).step_by(every) {
                    self.tick(Duration::from_millis(at), &mut out)?;
                }
            }
            // show at=MS: every peer as it is judged now.
            "show" => {
                let now = script::at(&mut args)?;
                for node in self.detector.nodes() {
                    let verdict = self.detector.verdict(now, node);
                    let phi = self.detector.phi(now, node);
                    let phi = phi.map_or("-".to_owned(), |phi| format!("{phi:.1}"));
                    writeln!(out, "{node} {:?} ({}) phi={phi}", verdict.state, verdict.evidence)?;
                }
            }
            "forget" => self.detector.forget(NodeId(script::position(&mut args)?)),
            name => return Err(format!("unknown command {name}").into()),
        }
        args.reject_next()?;
        Ok(out)
    }
}

impl Runner {
    fn tick(&mut self, now: Duration, out: &mut String) -> fmt::Result {
        for change in self.detector.tick(now) {
            let restarted = if change.restarted { ", restarted" } else { "" };
            let (state, evidence) = (change.verdict.state, change.verdict.evidence);
            let at = now.as_millis();
            let (node, before) = (change.node, change.before);
            writeln!(out, "{at} ms: {node} {before:?} -> {state:?} ({evidence}){restarted}")?;
        }
        Ok(())
    }
}

fn check(path: &Path) {
    let mut runner = Runner { detector: Detector::new(DetectorConfig::default()) };
    goldenscript::run(&mut runner, path).expect("the script runs");
}

#[test]
fn golden_scripts_of_the_detector_hold() {
    script::each("detector", check);
}
