//! Colours and glyphs. State is glyph, then word, then modifier; colour only repeats it.
//!
//! The palette is Okabe and Ito's (told apart by colour-blind eyes), in the 256 colours that every
//! terminal has. Without colours everything keeps its meaning.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use evenkeel_shared::event::Severity;
use evenkeel_shared::view::{Health, NodeState, ReplicaState, ShardHealth};

use super::options::ThemeChoice;

/// How things look.
#[derive(Clone, Debug)]
pub(crate) struct Theme {
    colours: Option<Colours>,
    /// The glyphs.
    pub(crate) glyphs: Glyphs,
}

#[derive(Clone, Copy, Debug)]
struct Colours {
    good: u8,
    warn: u8,
    bad: u8,
    info: u8,
    accent: u8,
    muted: u8,
    line: u8,
    chosen: u8,
}

const DARK: Colours = Colours {
    good: 36,
    warn: 214,
    bad: 202,
    info: 74,
    accent: 176,
    muted: 245,
    line: 240,
    chosen: 237,
};
const LIGHT: Colours = Colours {
    good: 29,
    warn: 130,
    bad: 160,
    info: 25,
    accent: 90,
    muted: 242,
    line: 249,
    chosen: 254,
};

/// What a piece of text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Ordinary.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Alarm.
    Bad,
    /// In progress, or a link.
    Info,
    /// Names and marks.
    Accent,
    /// Of less weight, or old.
    Muted,
}

impl Theme {
    /// The theme for a choice; `colour_allowed` is false under `NO_COLOR`.
    pub(crate) fn new(choice: ThemeChoice, ascii: bool, colour_allowed: bool) -> Self {
        let colours = match choice {
            ThemeChoice::Mono => None,
            ThemeChoice::Light => Some(LIGHT),
            ThemeChoice::Auto | ThemeChoice::Dark => Some(DARK),
        };
        Self {
            colours: colours.filter(|_| colour_allowed),
            glyphs: if ascii { Glyphs::ASCII } else { Glyphs::UNICODE },
        }
    }

    /// The style of a tone.
    pub(crate) fn tone(&self, tone: Tone) -> Style {
        let modifiers = match tone {
            Tone::Bad => Modifier::BOLD,
            Tone::Muted if self.colours.is_none() => Modifier::DIM,
            _ => Modifier::empty(),
        };
        let style = Style::new().add_modifier(modifiers);
        let Some(colours) = self.colours else { return style };
        let index = match tone {
            Tone::Plain => return style,
            Tone::Good => colours.good,
            Tone::Warn => colours.warn,
            Tone::Bad => colours.bad,
            Tone::Info => colours.info,
            Tone::Accent => colours.accent,
            Tone::Muted => colours.muted,
        };
        style.fg(Color::Indexed(index))
    }

    /// The heatmap's colours, from little to much: cividis, which colour-blind eyes tell apart, in
    /// the 256 that every terminal has.
    pub(crate) fn heat(&self) -> Option<[u8; 9]> {
        let tells = self.colours.is_some() && !self.glyphs.is_ascii;
        tells.then_some([17, 18, 60, 59, 102, 144, 143, 185, 227])
    }

    /// Frames and rules.
    pub(crate) fn line(&self) -> Style {
        match self.colours {
            Some(colours) => Style::new().fg(Color::Indexed(colours.line)),
            None => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// Titles and column heads.
    pub(crate) fn title() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The chosen row, which a glyph marks as well.
    pub(crate) fn selected(&self) -> Style {
        match self.colours {
            Some(colours) => Style::new().bg(Color::Indexed(colours.chosen)),
            None => Style::new(),
        }
        .add_modifier(Modifier::BOLD)
    }

    /// The screen that is shown, among the others.
    pub(crate) fn current() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Data that is older than two intervals.
    pub(crate) fn stale(&self) -> Style {
        self.tone(Tone::Muted).add_modifier(Modifier::DIM)
    }

    /// An action that can't be used now.
    pub(crate) fn off(&self) -> Style {
        self.tone(Tone::Muted).add_modifier(Modifier::CROSSED_OUT)
    }
}

/// Every glyph that is drawn, in one of two sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyphs {
    /// Whether nothing else than ASCII is drawn.
    pub(crate) is_ascii: bool,
    /// Nine heights, the first empty.
    pub(crate) bars: [&'static str; 9],
    /// Nine widths, the first empty.
    pub(crate) fills: [&'static str; 9],
    /// Four densities: ok, under, no spare, unavailable.
    pub(crate) densities: [&'static str; 4],
    /// Frames.
    pub(crate) border: border::Set<'static>,
    /// In order.
    pub(crate) good: &'static str,
    /// Half in order.
    pub(crate) half: &'static str,
    /// A warning.
    pub(crate) warn: &'static str,
    /// Broken.
    pub(crate) bad: &'static str,
    /// Not there.
    pub(crate) empty: &'static str,
    /// Done.
    pub(crate) done: &'static str,
    /// Marks the chosen row.
    pub(crate) cursor: &'static str,
    /// No figure.
    pub(crate) none: &'static str,
    /// Nothing here, on purpose.
    pub(crate) dot: &'static str,
    /// A threshold.
    pub(crate) mark: &'static str,
    /// From one to the other.
    pub(crate) arrow: &'static str,
    /// More to the left and to the right.
    pub(crate) pages: [&'static str; 2],
    /// Between parts of a line.
    pub(crate) rule: &'static str,
    /// Cut short.
    pub(crate) more: &'static str,
    /// The text cursor.
    pub(crate) caret: &'static str,
    /// Time that passes.
    pub(crate) track: &'static str,
    /// The moment that is shown.
    pub(crate) caret_here: &'static str,
}

impl Glyphs {
    const UNICODE: Self = Self {
        is_ascii: false,
        bars: [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        fills: [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
        densities: ["░", "▒", "▓", "█"],
        border: border::ROUNDED,
        good: "●",
        half: "◐",
        warn: "▲",
        bad: "✖",
        empty: "○",
        done: "✔",
        cursor: "▸",
        none: "–",
        dot: "·",
        mark: "│",
        arrow: "→",
        pages: ["◂", "▸"],
        rule: "│",
        more: "…",
        caret: "▏",
        track: "─",
        caret_here: "┼",
    };
    const ASCII: Self = Self {
        is_ascii: true,
        bars: [" ", ".", ".", ":", "-", "=", "+", "*", "#"],
        fills: [" ", " ", " ", "-", "-", "=", "=", "#", "#"],
        densities: [".", "-", "+", "#"],
        border: border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        },
        good: "*",
        half: "~",
        warn: "!",
        bad: "X",
        empty: "o",
        done: "v",
        cursor: ">",
        none: "-",
        dot: ".",
        mark: "|",
        arrow: ">",
        pages: ["<", ">"],
        rule: "|",
        more: "~",
        caret: "_",
        track: "-",
        caret_here: "#",
    };

    /// A node's state: glyph and tone.
    pub(crate) fn node(&self, state: NodeState) -> (&'static str, Tone) {
        match state {
            NodeState::Up => (self.good, Tone::Good),
            NodeState::Slow => (self.half, Tone::Warn),
            NodeState::Suspect => (self.warn, Tone::Warn),
            NodeState::Down => (self.bad, Tone::Bad),
            NodeState::Joining | NodeState::Draining => (self.half, Tone::Info),
            NodeState::Drained | NodeState::Maint => (self.empty, Tone::Info),
            NodeState::Left => (self.empty, Tone::Muted),
            NodeState::Unknown => ("?", Tone::Muted),
        }
    }

    /// The headline: glyph and tone.
    pub(crate) fn health(&self, health: Health) -> (&'static str, Tone) {
        match health {
            Health::Ok => (self.good, Tone::Good),
            Health::Degraded => (self.warn, Tone::Warn),
            Health::Unavailable => (self.bad, Tone::Bad),
        }
    }

    /// An event's weight: glyph and tone.
    pub(crate) fn severity(&self, severity: Severity) -> (&'static str, Tone) {
        match severity {
            Severity::Info => (self.dot, Tone::Muted),
            Severity::Warn => (self.warn, Tone::Warn),
            Severity::Alarm => (self.bad, Tone::Bad),
        }
    }
}

/// A shard's health: word and tone.
pub(crate) fn shard_health(health: ShardHealth) -> (&'static str, Tone) {
    match health {
        ShardHealth::Ok => ("ok", Tone::Good),
        ShardHealth::UnderReplicated => ("under", Tone::Warn),
        ShardHealth::Unavailable => ("UNAVAIL", Tone::Bad),
    }
}

/// A replica's letter in the placement matrix, and its tone.
pub(crate) fn replica(state: ReplicaState) -> (&'static str, Tone) {
    match state {
        ReplicaState::Leader => ("L", Tone::Good),
        ReplicaState::Follower => ("f", Tone::Plain),
        ReplicaState::Filling => ("+", Tone::Info),
        ReplicaState::Leaving => ("-", Tone::Accent),
        ReplicaState::Lost => ("x", Tone::Bad),
        ReplicaState::Unknown => ("?", Tone::Muted),
        ReplicaState::Damaged => ("!", Tone::Bad),
    }
}
