//! Names of files: text that fits a key, a line of a list and a command line.

use std::fmt;
use std::str::FromStr;

use super::NameError;
use crate::limits::FILE_NAME_BYTES_MAX;

/// A file's name. A `/` in it means nothing to the store; people and `file sync` make folders of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the last `/`.
    pub fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for FileName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > FILE_NAME_BYTES_MAX {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_of_some_bytes_and_not_too_many() {
        let longest = "n".repeat(FILE_NAME_BYTES_MAX);
        for good in ["a", "a/b c/ü.txt", "{x}", "100%", "/", longest.as_str()] {
            assert_eq!(good.parse::<FileName>().unwrap().as_str(), good);
        }
        assert_eq!("".parse::<FileName>(), Err(NameError::Empty));
        let long = "n".repeat(FILE_NAME_BYTES_MAX + 1);
        assert_eq!(long.parse::<FileName>(), Err(NameError::TooLong { bytes: long.len() }));
        for bad in ["a\nb", "\0", "tab\t"] {
            assert_eq!(bad.parse::<FileName>(), Err(NameError::Control));
        }
    }

    #[test]
    fn the_last_part_stands_behind_the_last_slash() {
        for (name, last) in [("a", "a"), ("a/b", "b"), ("a/", "")] {
            assert_eq!(name.parse::<FileName>().unwrap().last(), last);
        }
    }
}
