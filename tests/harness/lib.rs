//! What journeys are made of: real agents, the real command line, clients, and a terminal.
//!
//! Every process ends with the value that started it; nothing here waits without a deadline.

mod agent;
mod client;
mod clock;
mod cluster;
mod command;
mod contenders;
mod dice;
mod files;
mod network;
mod ports;
mod resp;
mod stranger;
mod terminal;
pub mod words;
mod writers;

pub use agent::{Agent, AgentPlan, Entry};
pub use client::Client;
pub use clock::{now, pass, wait_for};
pub use cluster::{Cluster, ClusterPlan, Site};
pub use command::{Output, Running, evenkeel, executable, is_alive, raise_open_files, toy_console};
pub use contenders::{Contenders, ContendersPlan, look_again};
pub use dice::Dice;
pub use files::FileKeys;
pub use network::Network;
pub use ports::Ports;
pub use resp::Resp;
pub use stranger::Stranger;
pub use terminal::Terminal;
pub use writers::{Tally, Writers};
