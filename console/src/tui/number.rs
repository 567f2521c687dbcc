//! The lossy conversions that drawing needs, each in one place with its reason.

/// A count as a float: drawing needs no more than 53 bits.
#[expect(clippy::cast_precision_loss, reason = "a drawn figure has three digits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A length in terminal cells; what does not fit is the largest screen.
pub(crate) fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// A share of `whole` cells, rounded; anything outside 0..=1 is clamped, NaN is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=whole first"
)]
pub(crate) fn share(part: f64, whole: u32) -> u32 {
    if part.is_nan() {
        return 0;
    }
    (part.clamp(0.0, 1.0) * f64::from(whole)).round() as u32
}

/// A figure as a count: what is negative or unknown is 0, fractions are rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and labels need no more"
)]
pub(crate) fn count(figure: f64) -> u64 {
    figure.max(0.0).round() as u64
}

/// The next larger of the offers, which are in order, or the next smaller one; the same at the end.
pub(crate) fn next_of(offers: &[u64], now: u64, forward: bool) -> u64 {
    let next = if forward {
        offers.iter().find(|offer| **offer > now)
    } else {
        offers.iter().rfind(|offer| **offer < now)
    };
    next.copied().unwrap_or(now)
}

/// So many seconds, in milliseconds.
pub(crate) fn round_seconds(seconds: usize) -> u64 {
    u64::try_from(seconds).unwrap_or(u64::MAX).saturating_mul(1_000)
}
