//! The network in which a process or a client speaks: the test's own, or a namespace by its name.
//!
//! It only goes into namespaces; whoever has made one removes it.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use tokio::runtime::Runtime;

use crate::command::executable;

/// A network to speak in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The one that the test has.
    #[default]
    Own,
    /// The namespace of this name (`ip netns`).
    Namespace(String),
}

impl Network {
    /// A command that runs the executable there; the process is the executable itself.
    pub(crate) fn command(&self) -> Command {
        match self {
            Self::Own => Command::new(executable()),
            Self::Namespace(name) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(executable());
                command
            }
        }
    }

    /// A runtime whose threads are there. What is spawned on it speaks there, not what a caller
    /// waits for on a thread of its own.
    pub fn runtime(&self) -> Runtime {
        let network = self.clone();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(move || network.enter())
            .enable_all()
            .build()
            .expect("a runtime can be made")
    }

    /// Moves the calling thread there: what it opens from now on speaks there.
    #[expect(clippy::disallowed_methods, reason = "a namespace is a file of the real system")]
    fn enter(&self) {
        if let Self::Namespace(name) = self {
            let file = File::open(format!("/run/netns/{name}")).expect("the namespace is there");
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("whoever may make a namespace may enter it");
        }
    }
}
