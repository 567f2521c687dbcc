//! Figures and moments as people read them. Pure.
//!
//! A figure that is not known is a dash, never 0 (law 2).

use std::fmt::Display;
use std::time::Duration;

/// What stands where a figure is not known.
pub(crate) const NOT_KNOWN: &str = "-";

/// A figure that may not be known.
pub(crate) fn known<T: Display>(figure: Option<T>) -> String {
    figure.map_or_else(|| NOT_KNOWN.to_owned(), |figure| figure.to_string())
}

/// A fraction with that many digits, which may not be known.
pub(crate) fn fraction(figure: Option<f64>, digits: usize) -> String {
    known(figure.map(|figure| format!("{figure:.digits$}")))
}

/// A count as a fraction, for rates.
#[expect(clippy::cast_precision_loss, reason = "a rate doesn't need more than 52 bits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Events a second.
pub(crate) fn rate(count: u64, over: Duration) -> f64 {
    if over.is_zero() { 0.0 } else { float(count) / over.as_secs_f64() }
}

/// Rounds to that many digits, so that JSON stays readable.
pub(crate) fn rounded(figure: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (figure * scale).round() / scale
}

/// Bytes in the unit that keeps the figure short.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut figure = float(bytes) / 1024.0;
    let mut unit = 0;
    while figure >= 1024.0 && unit + 1 < UNITS.len() {
        figure /= 1024.0;
        unit += 1;
    }
    format!("{figure:.1} {}", UNITS[unit])
}

/// Bytes a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative, and its fraction is of no interest"
)]
pub(crate) fn bytes_a_second(rate: f64) -> String {
    format!("{}/s", bytes(rate.max(0.0) as u64))
}

/// A length of time in the unit that keeps the figure short.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match span.as_micros() {
        micros if micros < 1_000 => format!("{micros} µs"),
        micros if micros < 10_000 => format!("{:.1} ms", span.as_secs_f64() * 1e3),
        micros if micros < 1_000_000 => format!("{} ms", span.as_millis()),
        micros if micros < 120_000_000 => format!("{:.1} s", span.as_secs_f64()),
        _ if seconds < 7_200 => format!("{} min", seconds / 60),
        _ if seconds < 172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Microseconds, as heartbeats carry them.
pub(crate) fn micros(micros: u64) -> String {
    span(Duration::from_micros(micros))
}

/// A moment in the zone of this terminal.
pub(crate) fn moment(unix_ms: u64) -> String {
    timestamp(unix_ms).map_or_else(
        || NOT_KNOWN.to_owned(),
        |time| {
            time.to_zoned_datetime(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S%.3f")
                .to_string()
        },
    )
}

/// A moment as JSON carries it: RFC 3339, in UTC.
pub(crate) fn rfc3339(unix_ms: u64) -> Option<String> {
    timestamp(unix_ms).map(|time| time.to_string())
}

fn timestamp(unix_ms: u64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()
}

/// Names in one cell.
pub(crate) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { NOT_KNOWN.to_owned() } else { items.join(",") }
}

/// "1 shard", "2 shards".
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Appends to a text under construction.
pub(crate) fn append(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    std::fmt::Write::write_fmt(text, arguments).expect("memory takes what is written to it");
}

/// Appends a line for each count that is not 0.
pub(crate) fn append_counts(text: &mut String, counts: &[(u64, &str)]) {
    for (number, what) in counts.iter().filter(|(number, _)| *number > 0) {
        append(text, format_args!("\n{number} {what}"));
    }
}

/// Bytes of a key as people read them: what isn't printable is escaped.
pub(crate) fn key(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => key.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_stay_short() {
        for (micros, text) in [
            (62, "62 µs"),
            (6_200, "6.2 ms"),
            (62_000, "62 ms"),
            (1_300_000, "1.3 s"),
            (300_000_000, "5 min"),
            (10_800_000_000, "3 h"),
        ] {
            assert_eq!(span(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn bytes_stay_short() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1 << 20), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        assert_eq!(known(None::<u32>), "-");
        assert_eq!(fraction(None, 1), "-");
        assert_eq!(list(Vec::<String>::new()), "-");
    }

    #[test]
    fn keys_that_are_not_text_are_escaped() {
        assert_eq!(key(b"/usr/share"), "/usr/share");
        assert_eq!(key(&[0xff, b'a', b'\n']), "\\xffa\\n");
    }

    #[test]
    fn moments_are_rfc_3339_in_json() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
