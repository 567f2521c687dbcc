//! Everything that decides: pure functions of facts, settings, `now` and a seed (law 5).
//!
//! Invariant: nothing below this module reads a clock, draws a random number, does I/O, or lets
//! the order of a hash table leak; the same input gives the same decision.

pub mod balance;
pub mod blast;
pub mod budget;
pub mod course;
pub mod detector;
pub mod dossier;
pub mod due;
pub mod elector;
pub mod explain;
pub mod facts;
pub mod fresh;
pub mod heir;
pub mod observe;
pub mod odd;
pub mod placement;
pub mod plan;
pub mod reach;
pub mod reminder;
pub mod repair;
pub mod rest;
pub mod room;
pub mod score;
pub mod slow;
pub mod view;
pub mod what_if;

mod by_node;
mod carried;

#[cfg(test)]
pub(crate) mod large;
#[cfg(test)]
mod script;
#[cfg(test)]
mod world;
