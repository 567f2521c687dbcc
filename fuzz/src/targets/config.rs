//! The configuration file, and the checks on what it says.

use std::path::Path;

use evenkeel_agent::config::{Config as Checked, Settings};

use crate::engine::Target;

/// The target.
pub(super) struct Config {
    corpus: Vec<Vec<u8>>,
}

impl Config {
    pub(super) fn new() -> Self {
        let whole = Settings {
            name: Some("n1".to_owned()),
            data: Some("/var/lib/evenkeel".into()),
            listen: Some("10.0.0.7:7400".to_owned()),
            advertise: Some("n1.example:7400".to_owned()),
            bootstrap: Some(true),
            join: Some(vec!["10.0.0.8:7400".to_owned(), "[::1]:7400".to_owned()]),
            shards: Some(16),
            replicas: Some(3),
            insecure: Some(true),
            zone: Some("a".to_owned()),
            capacity: Some(100),
            http: Some("127.0.0.1:0".to_owned()),
            grace: Some("1m 30s".to_owned()),
            log: Some("info".to_owned()),
            ..Settings::default()
        };
        let corpus = vec![whole.to_toml().into_bytes(), b"name = \"n1\"\n".to_vec()];
        Self { corpus }
    }
}

impl Target for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn corpus(&self) -> &[Vec<u8>] {
        &self.corpus
    }

    fn decode(&self, input: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        match Settings::parse(Path::new("fuzz.toml"), text) {
            // A file that can be read may still say what can't be done.
            Ok(settings) => {
                drop(Checked::check(settings).map(|config| config.to_toml()));
                true
            }
            Err(error) => {
                assert!(!error.to_string().is_empty(), "a refusal has words");
                false
            }
        }
    }

    fn memory_bytes_max(&self, input_bytes: usize) -> usize {
        (1 << 20) + 1_024 * input_bytes
    }
}
