//! What an audience is shown: one large figure, what it is, and what happened last.
//!
//! Invariant: a figure is what was measured; where nothing was, there is none.

use evenkeel_shared::event::{Event, EventKind, Severity};

use super::Model;
use super::drill::DrillRun;
use super::failovers::Incident;
use crate::tui::format;
use crate::tui::theme::Tone;

/// How long the figure of a failover or a drill stands before the rate comes back.
const STANDS_MS: u64 = 60_000;
/// What begins within so long of each other is one failover to an audience.
const TOGETHER_MS: u64 = 5_000;
/// Journal lines that are looked through for captions.
const LINES_MAX: usize = 200;

/// The large figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Headline {
    /// The figure with its unit.
    pub(crate) figure: String,
    /// What it is.
    pub(crate) caption: String,
    /// How good that is.
    pub(crate) tone: Tone,
}

/// Something that happened, in words for an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caption {
    /// When.
    pub(crate) unix_ms: u64,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// What.
    pub(crate) text: String,
}

/// What matters most now: shards out of service, then what the last failover took, then the rate.
pub(crate) fn headline(model: &Model, found: &[Incident]) -> Headline {
    let now = model.shown_at();
    let cluster = model.shown();
    let stands = |at: u64| at <= now && now - at <= STANDS_MS;
    let out = cluster.view().map_or(0, |view| view.counts.shards_unavailable);
    if out > 0 && !cluster.is_stale(now) {
        let shards = if out == 1 { "shard takes" } else { "shards take" };
        let caption = format!("{shards} no writes now");
        return Headline { figure: out.to_string(), caption, tone: Tone::Bad };
    }
    // The past knows nothing of the drill that runs now.
    let drill = model.drill.as_ref().filter(|_| model.held.is_none());
    if let Some(drill) = drill.filter(|drill| drill.over_at.is_none_or(stands))
        && let Some(headline) = of_drill(drill)
    {
        return headline;
    }
    let mut unplanned = found.iter().filter(|it| !it.planned && it.unix_ms <= now).peekable();
    let newest = unplanned.peek().map_or(0, |incident| incident.unix_ms);
    // Several nodes may have been taken away at once: the slowest is what there was to wait for.
    let together = unplanned.filter(|it| newest - it.unix_ms.min(newest) <= TOGETHER_MS);
    let last = together.max_by_key(|it| it.slowest().and_then(|rise| rise.total_us));
    if let Some(incident) = last.filter(|incident| stands(incident.unix_ms))
        && let Some(slowest) = incident.slowest()
        && let Some(total) = slowest.total_us
    {
        let among = match incident.rises.len() {
            1 => String::new(),
            shards => format!(", slowest of {shards} shards"),
        };
        let age = format::short_age(now.saturating_sub(incident.unix_ms));
        let shard = slowest.shard;
        let caption = format!("{shard}{among}: last sign of life to first write, {age} ago");
        return Headline { figure: format::micros(total), caption, tone: Tone::Good };
    }
    match cluster.ops.last().filter(|_| !cluster.is_stale(now)) {
        Some(rate) => Headline {
            figure: format::rate(rate),
            caption: "operations a second".to_owned(),
            tone: Tone::Info,
        },
        None => {
            Headline { figure: "?".to_owned(), caption: "not heard".to_owned(), tone: Tone::Muted }
        }
    }
}

fn of_drill(drill: &DrillRun) -> Option<Headline> {
    let (longest, shard) = drill.longest.as_ref()?;
    let end = match drill.verdict {
        None => "so far",
        Some((true, _)) => "passed",
        Some((false, _)) => "NOT PASSED",
    };
    let tone = match drill.verdict {
        None => Tone::Accent,
        Some((true, _)) => Tone::Good,
        Some((false, _)) => Tone::Bad,
    };
    let caption = format!("longest that {shard} took no writes, drill {}: {end}", drill.name);
    Some(Headline { figure: format::micros(*longest), caption, tone })
}

/// The newest things worth telling, the newest first.
pub(crate) fn captions(model: &Model, found: &[Incident], most: usize) -> Vec<Caption> {
    let now = model.shown_at();
    let cluster = model.shown();
    let lines = cluster.journal.iter().rev().take(LINES_MAX).map(|(_, event)| event);
    let mut told: Vec<Caption> = lines.filter(|event| is_told(event)).map(line).collect();
    told.extend(found.iter().map(moved));
    told.retain(|caption| caption.unix_ms <= now);
    told.sort_by_key(|caption| std::cmp::Reverse(caption.unix_ms));
    told.truncate(most);
    told
}

/// Leaderships are told by incident, and steps of the balance not at all.
fn is_told(event: &Event) -> bool {
    match event.kind {
        EventKind::Verdict | EventKind::Membership | EventKind::Audit | EventKind::Restore => true,
        EventKind::Leader | EventKind::Placement => false,
        EventKind::Backup | EventKind::Damage => event.severity > Severity::Info,
    }
}

fn line(event: &Event) -> Caption {
    let why = if event.why.is_empty() { String::new() } else { format!(": {}", event.why) };
    let text = format!("{}{why}", event.what);
    Caption { unix_ms: event.unix_ms, severity: event.severity, text }
}

fn moved(incident: &Incident) -> Caption {
    let shards = format::plural(incident.rises.len(), "shard");
    let took = incident.slowest().and_then(|rise| rise.total_us);
    let took = took.map(|us| format!(" in {}", format::micros(us))).unwrap_or_default();
    let have = if incident.rises.len() == 1 { "has" } else { "have" };
    let text = format!("{shards} {have} another leader{took}: {}", incident.cause);
    let severity = if incident.planned { Severity::Info } else { Severity::Warn };
    Caption { unix_ms: incident.unix_ms, severity, text }
}
