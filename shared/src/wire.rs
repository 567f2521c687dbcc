//! How the words travel: postcard frames under a limit, after an opening handshake.
//!
//! A connection carries one service. tarpc does the matching of requests and answers; the bytes
//! are our own, because tarpc's default frames panic a server on an absurd deadline.

pub mod codec;
pub mod connection;
mod cut;
pub mod deadline;
pub mod held;
pub mod hello;
pub mod impatient;
pub mod patience;
pub mod room;
pub mod serve;
pub mod tcp;
pub mod transport;
