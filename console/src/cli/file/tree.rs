//! The files below a folder, each once, with what is left out and why.

use std::fs::{self, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

/// What lies below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A regular file, and its path below the folder.
    File(PathBuf, String),
    /// What is not sent, and why.
    Skipped(PathBuf, &'static str),
    /// What can't be read, and why.
    Unreadable(PathBuf, String),
}

/// A walk through a folder; links are not followed.
pub(super) struct Tree {
    root: PathBuf,
    open: Vec<(PathBuf, ReadDir)>,
}

impl Tree {
    /// Begins at a folder.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let first = (root.to_owned(), fs::read_dir(root)?);
        Ok(Self { root: root.to_owned(), open: vec![first] })
    }

    fn entry(&mut self, path: PathBuf) -> Option<Entry> {
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return Some(Entry::Unreadable(path, error.to_string())),
        };
        if kind.is_dir() {
            return match fs::read_dir(&path) {
                Ok(folder) => {
                    self.open.push((path, folder));
                    None
                }
                Err(error) => Some(Entry::Unreadable(path, error.to_string())),
            };
        }
        if kind.is_symlink() {
            return Some(Entry::Skipped(path, "it is a link"));
        }
        if !kind.is_file() {
            return Some(Entry::Skipped(path, "it is no regular file"));
        }
        let below = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
        let Some(below) = below.map(str::to_owned) else {
            return Some(Entry::Unreadable(path, "its name is not UTF-8".to_owned()));
        };
        Some(Entry::File(path, below))
    }
}

impl Iterator for Tree {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let (folder, entries) = self.open.last_mut()?;
            let entry = match entries.next() {
                None => {
                    self.open.pop();
                    continue;
                }
                Some(Ok(entry)) => self.entry(entry.path()),
                Some(Err(error)) => Some(Entry::Unreadable(folder.clone(), error.to_string())),
            };
            if entry.is_some() {
                return entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn every_file_is_found_once_and_what_is_left_out_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("a/b")).unwrap();
        let create = |path: PathBuf| fs::File::create(path).unwrap();
        for name in ["top", "a/one", "a/b/two"] {
            create(path.join(name));
        }
        let odd = path.join(OsStr::from_bytes(b"\xff"));
        create(odd.clone());
        std::os::unix::fs::symlink("top", path.join("link")).unwrap();
        let mut found: Vec<Entry> = Tree::open(path).unwrap().collect();
        found.sort_by_key(|entry| format!("{entry:?}"));
        let file = |name: &str| Entry::File(path.join(name), name.to_owned());
        let expected = [
            file("a/b/two"),
            file("a/one"),
            file("top"),
            Entry::Skipped(path.join("link"), "it is a link"),
            Entry::Unreadable(odd, "its name is not UTF-8".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
