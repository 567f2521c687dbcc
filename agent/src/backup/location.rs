//! Where an archive is: an absolute folder, by path or by `file://` URL. Pure.

use std::path::PathBuf;

use super::ArchiveError;

/// The folder that a location names.
pub(super) fn folder(location: &str) -> Result<PathBuf, ArchiveError> {
    let refused = |why| Err(ArchiveError::Location { location: location.to_owned(), why });
    let path = match location.split_once("://") {
        None => location,
        Some(("file", path)) if path.contains('%') => {
            return refused("a URL with %-signs is not decoded; give the folder's path itself");
        }
        Some(("file", path)) if !path.starts_with('/') => {
            return refused("a file URL has three slashes, as in file:///var/backups");
        }
        Some(("file", path)) => path,
        Some(_) => {
            return refused(
                "only folders are served yet; give an absolute path or a file:// URL, \
                 such as a mounted network disk",
            );
        }
    };
    if path.is_empty() {
        return refused("it is empty; give the absolute path of a folder");
    }
    if !path.starts_with('/') {
        return refused("each node would look for it elsewhere; give an absolute path");
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_accepted_and_all_else_is_refused_with_the_way_out() {
        for (location, expected) in [
            ("/a/b", "/a/b"),
            ("file:///a/b", "/a/b"),
            ("/a%20b", "/a%20b"),
            ("", "it is empty"),
            ("backups", "give an absolute path"),
            ("../b", "give an absolute path"),
            ("file://a/b", "three slashes"),
            ("file:///a%20b", "not decoded"),
            ("s3://bucket/a", "only folders are served yet"),
        ] {
            let given = match folder(location) {
                Ok(path) => path.display().to_string(),
                Err(error) => error.to_string(),
            };
            assert!(given.contains(expected), "{location}: {given}");
        }
    }
}
