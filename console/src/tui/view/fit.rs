//! A line of parts that gives up its least important ones when there is no room.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::hits::{Hits, Target};
use crate::tui::number::cells;

/// One part: 0 is never given up, the highest number goes first.
pub(super) struct Part {
    priority: u8,
    spans: Vec<Span<'static>>,
    /// Spaces before it, unless it comes first.
    gap: usize,
    target: Option<Target>,
}

/// A part of a line.
pub(super) fn part(priority: u8, spans: impl Into<Vec<Span<'static>>>) -> Part {
    Part { priority, spans: spans.into(), gap: 2, target: None }
}

impl Part {
    /// The part, close to the one before.
    pub(super) fn close(self) -> Self {
        Self { gap: 1, ..self }
    }

    /// The part, as something that can be clicked.
    pub(super) fn of(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }
}

/// The parts that fit.
pub(super) fn line(parts: Vec<Part>, width: u16) -> Line<'static> {
    clickable(parts, width, &Hits::default(), Rect::ZERO)
}

/// The parts that fit, and where those lie that can be clicked when the line is drawn at `at`.
pub(super) fn clickable(mut parts: Vec<Part>, width: u16, hits: &Hits, at: Rect) -> Line<'static> {
    let wide = |parts: &[Part]| {
        let gaps: usize = parts.iter().skip(1).map(|part| part.gap).sum();
        parts.iter().map(Part::width).sum::<usize>() + gaps
    };
    while wide(&parts) > usize::from(width) {
        let droppable = parts.iter().enumerate().filter(|(_, part)| part.priority > 0);
        let Some((worst, _)) = droppable.max_by_key(|(index, part)| (part.priority, *index)) else {
            break;
        };
        parts.remove(worst);
    }
    let mut line = Line::default();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            line.push_span(Span::raw(" ".repeat(part.gap)));
        }
        if let Some(target) = &part.target {
            let x = at.x.saturating_add(cells(line.width()));
            let area = Rect { x, width: cells(part.width()), height: 1, ..at };
            hits.note(area.intersection(at), target.clone());
        }
        line.spans.extend(part.spans);
    }
    line
}
