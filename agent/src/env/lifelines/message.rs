//! What the thread and the rest of the process tell each other: one packet each, at most one
//! descriptor with it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// To the thread: accept on this listener.
    Listen = 1,
    /// To the thread: this connection is a lifeline now; say when its other side has closed it.
    Hold = 2,
    /// To the thread: close what has this number.
    Close = 3,
    /// To the thread: nothing is to be kept any more.
    Leave = 4,
    /// From the thread: a connection, accepted on that listener.
    Accepted = 5,
    /// From the thread: the other side has closed this lifeline.
    Ended = 6,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) word: Word,
    /// Of the listener or connection.
    pub(super) number: u64,
    /// Of the listener that accepted it.
    pub(super) of: u64,
    /// The descriptor that goes with it.
    pub(super) socket: Option<OwnedFd>,
}

const BYTES: usize = 17;

impl Message {
    pub(super) fn send(&self, control: BorrowedFd<'_>) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        bytes[0] = self.word as u8;
        bytes[1..9].copy_from_slice(&self.number.to_le_bytes());
        bytes[9..].copy_from_slice(&self.of.to_le_bytes());
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = SendAncillaryBuffer::new(&mut space);
        let sockets = self.socket.as_ref().map(|socket| [std::os::fd::AsFd::as_fd(socket)]);
        if let Some(sockets) = &sockets {
            along.push(SendAncillaryMessage::ScmRights(sockets));
        }
        sendmsg(control, &[IoSlice::new(&bytes)], &mut along, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next one.
    pub(super) fn receive(control: BorrowedFd<'_>) -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut bytes)];
        let read = recvmsg(control, into, &mut along, RecvFlags::CMSG_CLOEXEC)?.bytes;
        let socket = along.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        let number = |at: usize| {
            bytes[at..at + 8].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let word = match bytes[0] {
            _ if read != BYTES => return Err(io::ErrorKind::UnexpectedEof.into()),
            1 => Word::Listen,
            2 => Word::Hold,
            3 => Word::Close,
            4 => Word::Leave,
            5 => Word::Accepted,
            6 => Word::Ended,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        Ok(Self { word, number: number(1), of: number(9), socket })
    }
}
