//! The interactive console: what is known (`model`), how it changes (`update`), how it is drawn
//! (`view`), and the loop that joins them to a terminal and a feed (`run`).
//!
//! `update` and `view` read no clock and do no I/O: time arrives in messages, requests leave as
//! effects. Verdicts are the agents'; nothing here judges the cluster.

mod action;
mod effect;
mod export;
mod feed;
mod format;
mod hits;
mod keymap;
mod live;
mod message;
mod model;
mod number;
mod options;
pub mod recording;
mod run;
mod theme;
mod update;
mod view;
mod widget;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use effect::Effect;
pub use feed::Feed;
pub use hits::Hit;
pub use live::LiveFeed;
pub use message::{DrillBrief, DrillNews, LinkState, Message};
pub use options::{ConsoleOptions, DrillOffer, ThemeChoice};
pub use run::run;
