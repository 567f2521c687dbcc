//! The workspace's source files, read as text, in a fixed order.
//!
//! Generated folders (`target`, snapshots) are never entered.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Source {
    /// From the workspace's root, with `/` between names.
    pub(crate) path: String,
    /// What stands in it.
    pub(crate) text: String,
}

impl Source {
    /// Its lines that are not comments, numbered from 1.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// A finding at a line.
    pub(crate) fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Whether it is this file.
    pub(crate) fn is(&self, path: &str) -> bool {
        self.path == path
    }

    /// Whether it belongs to this module: its own file, or one in its folder.
    pub(crate) fn is_in(&self, module: &str) -> bool {
        let rest = self.path.strip_prefix(module);
        rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests package lies in the workspace").to_path_buf()
}

/// All Rust files in these folders, or these files themselves, in order.
pub(crate) fn rust_files(places: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for place in places {
        let path = root().join(place);
        assert!(path.exists(), "{place} does not exist: correct the rule that names it");
        gather(&path, &mut paths);
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// Names of the modules right below a folder, in order.
pub(crate) fn below(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder is readable");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "rs"))
        .map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn gather(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        if path.file_name().is_some_and(|name| name == "target" || name == "snapshots") {
            return;
        }
        for entry in fs::read_dir(path).expect("the folder is readable") {
            gather(&entry.expect("the folder is readable").path(), found);
        }
    } else if path.extension().is_some_and(|end| end == "rs") {
        found.push(path.to_path_buf());
    }
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("sources are readable UTF-8");
    let path = path.strip_prefix(root()).expect("it lies below the root");
    Source { path: path.to_string_lossy().replace('\\', "/"), text }
}
