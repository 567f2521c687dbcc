//! The console's random numbers: client ids, and the keys of generated load.
//!
//! Nothing that has to be repeated depends on them.

/// 64 random bits.
pub(crate) fn bits() -> u64 {
    rand::random()
}

/// A stream of numbers from one seed (`splitmix64`, Steele et al., 2014): cheap, and good enough
/// to choose keys.
pub(crate) struct Stream(u64);

impl Stream {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// That many bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> bytes::Bytes {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_itself_for_its_seed_and_stays_below_its_bound() {
        let (mut one, mut two) = (Stream::new(7), Stream::new(7));
        for _ in 0..100 {
            let number = one.below(10);
            assert!(number < 10);
            assert_eq!(number, two.below(10));
        }
        assert_eq!(one.bytes(13).len(), 13);
        assert_eq!(one.below(0), 0);
    }
}
