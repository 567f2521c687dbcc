//! Where frames begin and end. A length beyond the limit is refused before anything is kept for it.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 4;

/// Cuts a stream of bytes into frames.
pub(super) struct Cut {
    frame_bytes_max: usize,
    /// The length of the frame that has begun.
    begun: Option<usize>,
}

impl Cut {
    pub(super) fn new(frame_bytes_max: usize) -> Self {
        Self { frame_bytes_max, begun: None }
    }

    pub(super) fn set_frame_bytes_max(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// Whether a frame's length has been read, and not yet its bytes.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    fn check(&self, length: usize, kind: io::ErrorKind) -> io::Result<()> {
        let most = self.frame_bytes_max;
        if length <= most {
            return Ok(());
        }
        Err(io::Error::new(kind, format!("a frame of {length} bytes, at most {most} are taken")))
    }
}

impl Decoder for Cut {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, input: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let length = if let Some(length) = self.begun {
            length
        } else {
            let Some(head) = input.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
            let length = u32::from_be_bytes(*head) as usize;
            self.check(length, io::ErrorKind::InvalidData)?;
            input.advance(LENGTH_BYTES);
            input.reserve(length.saturating_sub(input.len()));
            length
        };
        self.begun = (input.len() < length).then_some(length);
        Ok(if self.begun.is_some() { None } else { Some(input.split_to(length)) })
    }

    fn decode_eof(&mut self, input: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        match self.decode(input)? {
            None if self.has_begun() || !input.is_empty() => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "it ended within a frame"))
            }
            frame => Ok(frame),
        }
    }
}

impl Encoder<Bytes> for Cut {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, output: &mut BytesMut) -> io::Result<()> {
        self.check(frame.len(), io::ErrorKind::InvalidInput)?;
        let too_long = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let length = u32::try_from(frame.len()).map_err(too_long)?;
        output.reserve(LENGTH_BYTES + frame.len());
        output.put_u32(length);
        output.extend_from_slice(&frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_alike_however_their_bytes_come() {
        let mut bytes = BytesMut::new();
        let mut cut = Cut::new(9);
        for frame in [&b"one"[..], b"", b"ninebytes"] {
            cut.encode(Bytes::copy_from_slice(frame), &mut bytes).unwrap();
        }
        for piece in 1..bytes.len() {
            let (mut input, mut read) = (BytesMut::new(), Vec::new());
            for piece in bytes.chunks(piece) {
                input.extend_from_slice(piece);
                while let Some(frame) = cut.decode(&mut input).unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, [&b"one"[..], b"", b"ninebytes"]);
            assert!(cut.decode_eof(&mut input).unwrap().is_none());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes() {
        let mut cut = Cut::new(9);
        let error = cut.decode(&mut BytesMut::from(&[255; 4][..])).unwrap_err();
        assert_eq!(error.to_string(), "a frame of 4294967295 bytes, at most 9 are taken");
        assert!(cut.encode(Bytes::from_static(&[0; 10]), &mut BytesMut::new()).is_err());
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
        for begun in [&[0][..], &[0, 0, 0, 9], &[0, 0, 0, 9, 1]] {
            let (mut cut, mut input) = (Cut::new(9), BytesMut::from(begun));
            assert!(cut.decode(&mut input).unwrap().is_none());
            assert!(cut.decode_eof(&mut input).is_err(), "{begun:?}");
        }
    }
}
