//! The files below a folder, one after the other, and the keys under which they are stored.
//!
//! Links are never followed. What is held in memory grows with the depth of the tree only.

use std::ffi::OsStr;
use std::fs::{self, ReadDir};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

/// A folder and what its files' keys begin with.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    folder: PathBuf,
    prefix: Vec<u8>,
}

/// One regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its key.
    pub(crate) key: Bytes,
    /// Its length when it was found.
    pub(crate) length: u64,
}

/// The files below a root, each once.
pub(crate) struct Walk {
    root: Root,
    open: Vec<ReadDir>,
}

impl Root {
    /// Keys are the prefix and the path below the folder; without a prefix, the path as given.
    pub(crate) fn new(folder: PathBuf, prefix: Option<String>) -> Self {
        let prefix = prefix.map_or_else(
            || {
                let mut prefix = folder.as_os_str().as_bytes().to_vec();
                if !prefix.ends_with(b"/") {
                    prefix.push(b'/');
                }
                prefix
            },
            String::into_bytes,
        );
        Self { folder, prefix }
    }

    /// What every key begins with.
    pub(crate) fn prefix(&self) -> Bytes {
        self.prefix.clone().into()
    }

    /// Begins a walk.
    pub(crate) fn walk(&self) -> io::Result<Walk> {
        Ok(Walk { root: self.clone(), open: vec![fs::read_dir(&self.folder)?] })
    }

    fn key(&self, path: &Path) -> Bytes {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        [self.prefix.as_slice(), below.as_os_str().as_bytes()].concat().into()
    }

    /// The file that a key stands for; `None` for a key that no file below the root has.
    pub(crate) fn file_of(&self, key: &[u8]) -> Option<PathBuf> {
        let below = Path::new(OsStr::from_bytes(key.strip_prefix(self.prefix.as_slice())?));
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
        if below.as_os_str().is_empty() || !below.components().all(plain) {
            return None;
        }
        let path = self.folder.join(below);
        // `a//b` and `a/./b` name the same file as `a/b`, and are other keys.
        let is_file = self.key(&path) == key && fs::symlink_metadata(&path).ok()?.is_file();
        is_file.then_some(path)
    }
}

impl Walk {
    fn step(&mut self, entry: &fs::DirEntry) -> io::Result<Option<Found>> {
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            self.open.push(fs::read_dir(&path)?);
        }
        let key = || self.root.key(&path);
        Ok(metadata.is_file().then(|| Found {
            key: key(),
            length: metadata.len(),
            path: path.clone(),
        }))
    }
}

impl Iterator for Walk {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let step = match self.open.last_mut()?.next() {
                None => {
                    self.open.pop();
                    continue;
                }
                Some(Ok(entry)) => self.step(&entry),
                Some(Err(error)) => Err(error),
            };
            match step {
                Ok(None) => {}
                Ok(Some(found)) => return Some(Ok(found)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir_all(path.join("a/b")).unwrap();
        for (name, text) in [("top", "1"), ("a/one", "22"), ("a/b/two", "")] {
            write(&path.join(name), text);
        }
        std::os::unix::fs::symlink(path.join("top"), path.join("link")).unwrap();
        std::os::unix::fs::symlink(path, path.join("a/loop")).unwrap();
        let root = Root::new(path.to_path_buf(), Some("p/".into()));
        (folder, root)
    }

    fn write(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().create_new(true).write(true).open(path).unwrap();
        io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    #[test]
    fn every_file_is_found_once_and_no_link_is_followed() {
        let (_folder, root) = tree();
        let mut found: Vec<(Bytes, u64)> =
            root.walk().unwrap().map(|found| found.unwrap()).map(|f| (f.key, f.length)).collect();
        found.sort();
        let expected = [("p/a/b/two", 0), ("p/a/one", 2), ("p/top", 1)];
        assert_eq!(
            found,
            expected.map(|(key, length)| (Bytes::from_static(key.as_bytes()), length))
        );
    }

    #[test]
    fn without_a_prefix_the_key_is_the_path_as_given() {
        let root = Root::new("/usr/share/doc".into(), None);
        assert_eq!(root.key(Path::new("/usr/share/doc/x/y")), "/usr/share/doc/x/y");
        assert_eq!(root.prefix(), "/usr/share/doc/");
        assert_eq!(Root::new("doc/".into(), None).prefix(), "doc/");
    }

    #[test]
    fn keys_that_no_file_has_stand_for_none() {
        let (folder, root) = tree();
        assert_eq!(root.file_of(b"p/a/one"), Some(folder.path().join("a/one")));
        for key in
            ["p/", "p/a", "p/link", "p/gone", "q/top", "p/../x", "p//top", "p/./top", "p//etc"]
        {
            assert_eq!(root.file_of(key.as_bytes()), None, "{key}");
        }
    }
}
