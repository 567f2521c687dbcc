//! Plain tables: aligned columns, readable without colour, one header line.
//!
//! Widths are counted in characters; a cell never breaks a line.

use std::fmt;

use super::format::append;

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// A table under construction.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// One more row; cells that are missing stay empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| cell.replace(['\n', '\r'], " "));
        self.rows.push(cells.take(self.columns.len()).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> =
            self.columns.iter().map(|(name, _)| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let header: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        for row in std::iter::once(&header).chain(&self.rows) {
            let mut text = String::new();
            for ((width, (_, align)), cell) in widths.iter().zip(&self.columns).zip(row) {
                let gap = if text.is_empty() { "" } else { "  " };
                text.push_str(gap);
                match align {
                    Align::Left => append(&mut text, format_args!("{cell:<width$}")),
                    Align::Right => append(&mut text, format_args!("{cell:>width$}")),
                }
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_figures_right() {
        let mut table = Table::new(&[("NAME", Align::Left), ("KEYS", Align::Right)]);
        table.row(["n1".into(), "7".into()]);
        table.row(["a-long-name".into(), "1234567".into()]);
        let expected = "NAME            KEYS\nn1                 7\na-long-name  1234567\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn a_cell_never_breaks_its_line() {
        let mut table = Table::new(&[("WHAT", Align::Left)]);
        table.row(["two\nlines".into()]);
        assert_eq!(table.to_string(), "WHAT\ntwo lines\n");
    }
}
