//! A table that drops columns by priority, builds visible rows only, and keeps the chosen row in
//! the middle of what is shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::hits::{Hits, Target};
use crate::tui::number;
use crate::tui::theme::{Theme, Tone};

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its head.
    pub(crate) title: String,
    /// Its width in cells.
    pub(crate) width: u16,
    /// Figures stand at the right.
    pub(crate) right: bool,
    /// 0 is never dropped; the highest number goes first.
    pub(crate) priority: u8,
    /// Takes what room is left.
    pub(crate) grows: bool,
}

/// A column of words.
pub(crate) fn words(title: &str, width: u16, priority: u8) -> Column {
    Column { title: title.into(), width, right: false, priority, grows: false }
}

/// A column of figures.
pub(crate) fn figures(title: &str, width: u16, priority: u8) -> Column {
    Column { title: title.into(), width, right: true, priority, grows: false }
}

/// A column that takes what room is left.
pub(crate) fn rest(title: &str, width: u16, priority: u8) -> Column {
    Column { title: title.into(), width, right: false, priority, grows: true }
}

/// What a table needs to be drawn.
pub(crate) struct Table<'a> {
    /// Its columns.
    pub(crate) columns: &'a [Column],
    /// How many rows there are in all.
    pub(crate) rows: usize,
    /// The chosen one.
    pub(crate) selected: Option<usize>,
    /// What to say when there are none.
    pub(crate) empty: &'a str,
    /// Where it is noted which row lies where.
    pub(crate) hits: &'a Hits,
}

/// One row: a cell for each column.
pub(crate) struct Row {
    /// The cells.
    pub(crate) cells: Vec<Line<'static>>,
    /// Laid over every cell.
    pub(crate) style: Style,
    /// What a click on it chooses.
    pub(crate) target: Option<Target>,
}

impl Row {
    /// A row without a style of its own.
    pub(crate) fn new(cells: Vec<Line<'static>>) -> Self {
        Self { cells, style: Style::new(), target: None }
    }

    /// The row, laid over with a style.
    #[must_use]
    pub(crate) fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// The row, as something that can be clicked.
    #[must_use]
    pub(crate) fn of(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }
}

/// The rows that `height` lines show so that `selected` is among them.
pub(crate) fn window(rows: usize, selected: Option<usize>, height: u16) -> std::ops::Range<usize> {
    let height = usize::from(height);
    let middle = selected.unwrap_or(0).saturating_sub(height / 2);
    let first = middle.min(rows.saturating_sub(height));
    first..(first + height).min(rows)
}

/// Draws head and rows; `row` builds one by its index.
pub(crate) fn render(
    frame: &mut Frame<'_>,
    area: Rect,
    table: &Table<'_>,
    theme: &Theme,
    row: impl Fn(usize) -> Row,
) {
    let Some(body_height) = area.height.checked_sub(1) else { return };
    let placed = place(table.columns, area.width.saturating_sub(1));
    for (index, left, width) in &placed {
        let column = &table.columns[*index];
        let head = Line::styled(column.title.clone(), theme.tone(Tone::Muted));
        cell(frame, area, (1 + left, 0, *width), head, column.right);
    }
    if table.rows == 0 && body_height > 0 {
        let text = Line::styled(table.empty.to_owned(), theme.tone(Tone::Muted));
        cell(frame, area, (1, 1, area.width.saturating_sub(1)), text, false);
    }
    let shown = window(table.rows, table.selected, body_height);
    if shown.len() < table.rows {
        let text = format!(" {}-{} of {} ", shown.start + 1, shown.end, table.rows);
        let width = number::cells(text.len()).min(area.width);
        let at = Rect { x: area.right() - width, width, height: 1, ..area };
        frame.render_widget(Line::styled(text, theme.tone(Tone::Warn)), at);
    }
    for (line, index) in shown.enumerate() {
        let y = 1 + number::cells(line);
        let built = row(index);
        let chosen = table.selected == Some(index);
        let whole = Rect { y: area.y + y, height: 1, ..area };
        if let Some(target) = built.target {
            table.hits.note(whole, target);
        }
        for (column, left, width) in &placed {
            let Some(text) = built.cells.get(*column) else { continue };
            let text = text.clone().patch_style(built.style);
            cell(frame, area, (1 + left, y, *width), text, table.columns[*column].right);
        }
        if chosen {
            frame.render_widget(Span::raw(theme.glyphs.cursor), whole);
            frame.buffer_mut().set_style(whole, theme.selected());
        }
    }
}

/// Which columns fit, each with its left edge and width.
fn place(columns: &[Column], room: u16) -> Vec<(usize, u16, u16)> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let total = |kept: &[usize]| -> u16 {
        kept.iter().fold(0u16, |sum, index| sum.saturating_add(columns[*index].width + 1))
    };
    while total(&kept) > room + 1 {
        let droppable = kept.iter().filter(|index| columns[**index].priority > 0);
        let Some(worst) = droppable.copied().max_by_key(|index| (columns[*index].priority, *index))
        else {
            break;
        };
        kept.retain(|index| *index != worst);
    }
    let spare = (room + 1).saturating_sub(total(&kept));
    let mut left = 0u16;
    let mut placed = Vec::with_capacity(kept.len());
    for index in kept {
        let extra = if columns[index].grows { spare } else { 0 };
        let width = columns[index].width + extra;
        placed.push((index, left, width.min(room.saturating_sub(left))));
        left = left.saturating_add(width + 1);
    }
    placed
}

/// Draws one cell, clipped to the area.
fn cell(
    frame: &mut Frame<'_>,
    area: Rect,
    (x, y, width): (u16, u16, u16),
    text: Line<'static>,
    right: bool,
) {
    let at = Rect { x: area.x.saturating_add(x), y: area.y.saturating_add(y), width, height: 1 };
    let text = if right { text.right_aligned() } else { text };
    frame.render_widget(text, at.intersection(area));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_high_priority_go_first() {
        let columns = [words("name", 6, 0), figures("cpu", 6, 3), figures("lead", 6, 1)];
        let kept = |room| place(&columns, room).iter().map(|p| p.0).collect::<Vec<_>>();
        assert_eq!(kept(20), [0, 1, 2]);
        assert_eq!(kept(19), [0, 2]);
        assert_eq!(kept(6), [0]);
        assert_eq!(kept(0), [0]);
    }

    #[test]
    fn window_always_holds_the_chosen_row() {
        for rows in 0..40usize {
            for height in 1..12u16 {
                for selected in 0..rows {
                    let shown = window(rows, Some(selected), height);
                    assert!(shown.contains(&selected) && shown.end <= rows);
                    assert_eq!(shown.len(), usize::from(height).min(rows));
                }
            }
        }
    }
}
