//! One seed, many streams: each purpose draws from its own, so that a new purpose moves no other.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The one number that decides a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The number for a purpose; `which` tells apart several of the same.
    pub fn number(self, purpose: &str, which: u64) -> u64 {
        let start = mix(self.0 ^ mix(which));
        purpose.bytes().fold(start, |state, byte| mix(state ^ u64::from(byte)))
    }

    /// The generator for a purpose.
    pub fn stream(self, purpose: &str, which: u64) -> StdRng {
        StdRng::seed_from_u64(self.number(purpose, which))
    }
}

impl std::fmt::Display for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Many seeds, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    first: u64,
    last: u64,
}

impl Seeds {
    /// Each of them.
    pub fn iter(self) -> std::ops::RangeInclusive<u64> {
        self.first..=self.last
    }
}

impl std::str::FromStr for Seeds {
    type Err = String;

    /// `200` are the first two hundred, `5..=9` are five.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no number"));
        let (first, last) = match text.split_once("..=") {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (1, number(text)?),
        };
        if first > last {
            Err("there is no seed in it".to_owned())
        } else {
            Ok(Self { first, last })
        }
    }
}

/// One step of `SplitMix64` (Steele, Lea and Flood, 2014).
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
