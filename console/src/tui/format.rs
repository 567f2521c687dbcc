//! How figures are written: short, with their unit, and never 0 for unknown.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::number;

/// A rate or count in at most five characters: `312`, `9.8k`, `1.2M`.
pub(crate) fn rate(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        v if v >= 999_500_000.0 => (value / 1e9, "G"),
        v if v >= 999_500.0 => (value / 1e6, "M"),
        v if v >= 999.5 => (value / 1e3, "k"),
        v if v > 0.0 && v < 9.95 && v.fract() != 0.0 => return format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    if scaled.abs() < 99.95 {
        format!("{scaled:.1}{suffix}")
    } else {
        format!("{scaled:.0}{suffix}")
    }
}

/// A size: `412 B`, `1.4 MB`, `38 GB` (powers of 1000).
pub(crate) fn bytes(value: u64) -> String {
    let mut scaled = number::float(value);
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if scaled < 999.5 {
            let digits = usize::from(unit != "B" && scaled < 9.95);
            return format!("{scaled:.digits$} {unit}");
        }
        scaled /= 1000.0;
    }
    format!("{scaled:.0} PB")
}

/// A duration in microseconds, written in milliseconds: `0.64 ms`, `4.1 ms`, `1.2 s`.
pub(crate) fn micros(value: u64) -> String {
    let milliseconds = number::float(value) / 1e3;
    match milliseconds {
        ms if ms < 0.995 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// An age in milliseconds: `0.3 s`, `14.2 s`, `2 m 05 s`, `3 h 12 m`, `2 d 4 h`.
pub(crate) fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, milliseconds % 1000 / 100),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// An age in one unit, for narrow columns: `4s`, `12m`, `3h`, `2d`.
pub(crate) fn short_age(milliseconds: u64) -> String {
    match milliseconds / 1000 {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// The time of day: `14:02:09`.
pub(crate) fn time(unix_ms: u64, zone: &TimeZone) -> String {
    stamp(unix_ms, zone, "%H:%M:%S")
}

/// Day and time: `11-23 14:02:09`.
pub(crate) fn day_time(unix_ms: u64, zone: &TimeZone) -> String {
    stamp(unix_ms, zone, "%m-%d %H:%M:%S")
}

fn stamp(unix_ms: u64, zone: &TimeZone, pattern: &str) -> String {
    i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).map_or_else(
        || "?".into(),
        |at| at.to_zoned_datetime(zone.clone()).strftime(pattern).to_string(),
    )
}

/// Names joined by spaces, the rest counted: `s1 s4 s9 +3`.
pub(crate) fn some_of(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(" ");
    if names.len() > most { format!("{shown} +{}", names.len() - most) } else { shown }
}

/// `1 shard`, `2 shards`.
pub(crate) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fit_five_characters() {
        for (value, text) in [
            (0.0, "0"),
            (0.4, "0.4"),
            (312.0, "312"),
            (999.9, "1.0k"),
            (9_812.0, "9.8k"),
            (48_100.0, "48.1k"),
            (999_700.0, "1.0M"),
        ] {
            assert_eq!(rate(value), text);
        }
    }

    #[test]
    fn sizes_and_durations_carry_units() {
        assert_eq!((bytes(412), bytes(1_400_000)), ("412 B".into(), "1.4 MB".into()));
        assert_eq!((micros(640), micros(4_100)), ("0.64 ms".into(), "4.1 ms".into()));
        assert_eq!((age(14_200), age(125_000)), ("14.2 s".into(), "2 m 05 s".into()));
    }

    #[test]
    fn times_beyond_the_calendar_are_unknown() {
        assert_eq!(time(u64::MAX, &TimeZone::UTC), "?");
        assert_eq!(time(50_529_000, &TimeZone::UTC), "14:02:09");
    }
}
