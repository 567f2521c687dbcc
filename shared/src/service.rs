//! The four services of a connection: one tarpc trait a file.

pub mod admin;
pub mod peer;
mod replies;
pub mod store;
pub mod watch;
