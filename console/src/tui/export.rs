//! A frame as text, plain or with its colours, for tickets and reports.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// The characters, spaces at the ends of lines cut.
pub(crate) fn text(frame: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(frame) {
        let line: String = row.iter().map(Cell::symbol).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The characters with their colours, as `cat` shows them in a terminal.
pub(crate) fn ansi(frame: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(frame) {
        let mut last = None;
        for cell in row {
            let style = (cell.fg, cell.bg, cell.modifier);
            if last != Some(style) {
                out.push_str(&sequence(cell));
                last = Some(style);
            }
            out.push_str(cell.symbol());
        }
        out.push_str("\u{1b}[0m\n");
    }
    out
}

fn rows(frame: &Buffer) -> impl Iterator<Item = &[Cell]> {
    frame.content.chunks(usize::from(frame.area.width).max(1))
}

fn sequence(cell: &Cell) -> String {
    let mut codes = String::from("\u{1b}[0");
    let modifiers = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::REVERSED, 7),
        (Modifier::CROSSED_OUT, 9),
    ];
    for (_, code) in modifiers.iter().filter(|(modifier, _)| cell.modifier.contains(*modifier)) {
        write!(codes, ";{code}").expect("to a string");
    }
    for (colour, base) in [(cell.fg, 38), (cell.bg, 48)] {
        if let Color::Indexed(index) = colour {
            write!(codes, ";{base};5;{index}").expect("to a string");
        }
    }
    codes.push('m');
    codes
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn colours_and_modifiers_are_written_once_a_run() {
        let mut frame = Buffer::empty(Rect::new(0, 0, 6, 1));
        let style = Style::new().fg(Color::Indexed(202)).add_modifier(Modifier::BOLD);
        frame.set_string(0, 0, "ab", style);
        frame.set_string(2, 0, "c", Style::new());
        assert_eq!(text(&frame), "abc\n");
        assert_eq!(ansi(&frame), "\u{1b}[0;1;38;5;202mab\u{1b}[0mc   \u{1b}[0m\n");
    }
}
