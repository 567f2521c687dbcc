//! Numbers that a seed decides (`SplitMix64`): the same seed, the same numbers, on every machine.

/// Draws numbers.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that draw what this seed says.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below a bound.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ bits >> 31) % bound
    }
}
