//! A frame as text, with its styles beside it: the backend's own text view leaves them out.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

/// The frame's characters, spaces at the ends of lines cut.
pub(super) fn text(buffer: &Buffer) -> String {
    rows(buffer, |_, line, _| line.trim_end().to_owned())
}

/// Each line, and below it the runs of style that are not the terminal's own.
pub(super) fn styled(buffer: &Buffer) -> String {
    rows(buffer, |y, line, width| {
        let mut out = format!("|{}", line.trim_end());
        let mut x = 0;
        let mut runs = String::new();
        while x < width {
            let style = |x: u16| (buffer[(x, y)].fg, buffer[(x, y)].bg, buffer[(x, y)].modifier);
            let end = (x..width).find(|at| style(*at) != style(x)).unwrap_or(width);
            let (fg, bg, modifier) = style(x);
            if (fg, bg, modifier) != (Color::Reset, Color::Reset, Modifier::empty()) {
                write!(runs, " {x}-{}", end - 1).expect("to a string");
                if let Color::Indexed(fg) = fg {
                    write!(runs, " f{fg}").expect("to a string");
                }
                if let Color::Indexed(bg) = bg {
                    write!(runs, " b{bg}").expect("to a string");
                }
                for (name, _) in modifier.iter_names() {
                    write!(runs, " {}", name.to_lowercase()).expect("to a string");
                }
                runs.push(';');
            }
            x = end;
        }
        if !runs.is_empty() {
            out.push_str("\n   {");
            out.push_str(runs.trim());
            out.push('}');
        }
        out
    })
}

fn rows(buffer: &Buffer, each: impl Fn(u16, &str, u16) -> String) -> String {
    let area = buffer.area;
    let lines = (0..area.height).map(|y| {
        let line: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        each(y, &line, area.width)
    });
    lines.collect::<Vec<_>>().join("\n")
}
