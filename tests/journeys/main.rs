//! Whole stories over real processes on loopback, one a file.
//!
//! Nothing here asserts how long a thing took: conditions are waited for, with generous deadlines.

mod archive;
mod away;
mod console;
mod console_speed;
mod damage;
mod demo;
mod drill;
mod faults;
mod files;
mod hostile;
mod keys;
mod keyspaces;
mod kills;
mod levels;
mod lifecycle;
mod linearizable;
mod lost;
mod modes;
mod operator;
mod policies;
mod recovery;
mod redis;
mod redis_client;
mod refusals;
mod repair;
mod rescue;
mod start;
mod stop;
