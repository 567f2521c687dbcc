//! Times as a drill tells them. Pure.

use std::time::Duration;

/// A time that somebody chose: `5s`, `500ms`, `2m`.
pub(crate) fn span(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

/// A time that was measured, in milliseconds, with a tenth.
pub(crate) fn milliseconds(figure: Duration) -> f64 {
    (figure.as_secs_f64() * 1e4).round() / 10.0
}

/// The same, in words.
pub(crate) fn measured(figure: Duration) -> String {
    format!("{:.1} ms", figure.as_secs_f64() * 1e3)
}

/// "1 shard", "2 shards".
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// "a, b, c".
pub(crate) fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
