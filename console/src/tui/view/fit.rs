//! A line of parts that gives up its least important ones when there is no room.

use ratatui::text::{Line, Span};

/// One part: 0 is never given up, the highest number goes first.
pub(super) struct Part {
    priority: u8,
    spans: Vec<Span<'static>>,
}

/// A part of a line.
pub(super) fn part(priority: u8, spans: impl Into<Vec<Span<'static>>>) -> Part {
    Part { priority, spans: spans.into() }
}

/// The parts that fit, two spaces between them.
pub(super) fn line(mut parts: Vec<Part>, width: u16) -> Line<'static> {
    let wide = |parts: &[Part]| {
        let spans = parts.iter().flat_map(|part| &part.spans);
        spans.map(Span::width).sum::<usize>() + 2 * parts.len().saturating_sub(1)
    };
    while wide(&parts) > usize::from(width) {
        let droppable = parts.iter().enumerate().filter(|(_, part)| part.priority > 0);
        let Some((worst, _)) = droppable.max_by_key(|(index, part)| (part.priority, *index)) else {
            break;
        };
        parts.remove(worst);
    }
    let mut spans = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            spans.push(Span::raw("  "));
        }
        spans.extend(part.spans);
    }
    Line::from(spans)
}
