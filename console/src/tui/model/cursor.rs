//! The chosen row of a list, held by its id so that no refresh moves it.
//!
//! A row that has gone is not chosen any more: a key never acts on what took its place.

/// The id of the chosen row, and where it was last seen.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<K> {
    /// The id.
    pub(crate) key: Option<K>,
    place: usize,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { key: None, place: 0 }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    /// Where the chosen row is now, if it is still there.
    pub(crate) fn index(&self, rows: &[K]) -> Option<usize> {
        let key = self.key.as_ref()?;
        rows.iter().position(|row| row == key)
    }

    /// The chosen row's id, if it is still there.
    pub(crate) fn chosen(&self, rows: &[K]) -> Option<K> {
        self.index(rows).map(|index| rows[index].clone())
    }

    /// Moves by `step` rows, from where the row is or last was.
    pub(crate) fn step(&mut self, rows: &[K], step: isize) {
        let from = self.index(rows).unwrap_or(self.place);
        self.go(rows, from.saturating_add_signed(step));
    }

    /// Chooses the row at `place`, or the last.
    pub(crate) fn go(&mut self, rows: &[K], place: usize) {
        self.place = place.min(rows.len().saturating_sub(1));
        self.key = rows.get(self.place).cloned();
    }

    /// Chooses the row of this id, if it is there.
    pub(crate) fn take(&mut self, rows: &[K], key: &K) {
        if let Some(place) = rows.iter().position(|row| row == key) {
            self.go(rows, place);
        }
    }

    /// Chooses the first row if none was ever chosen, and notes where the chosen one is.
    pub(crate) fn settle(&mut self, rows: &[K]) {
        match self.index(rows) {
            Some(index) => self.place = index,
            None if self.key.is_none() => self.go(rows, 0),
            None => {}
        }
    }
}
