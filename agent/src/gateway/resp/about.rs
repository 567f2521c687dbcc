//! What `INFO` and `TIME` tell of this node. What is not known is left out.

use std::fmt::Write as _;

use bytes::Bytes;

use super::Resp;
use super::command::ServerQuestion;
use super::reply::Reply;

/// The version of Redis whose commands these are; clients ask for it before they use some.
const REDIS_VERSION: &str = "7.2.0";

/// What is asked.
pub(super) fn tell(resp: &Resp, question: &ServerQuestion) -> Reply {
    match question {
        ServerQuestion::Info(sections) => Reply::text(info(resp, sections)),
        ServerQuestion::Time => {
            let ms = resp.store.about().unix_ms;
            let parts = [(ms / 1_000).to_string(), (ms % 1_000 * 1_000).to_string()];
            Reply::Array(parts.map(Reply::text).into())
        }
    }
}

fn info(resp: &Resp, wanted: &[Bytes]) -> String {
    let about = resp.store.about();
    let finds_way = resp.finds_way;
    let server = vec![
        ("redis_version", REDIS_VERSION.to_owned()),
        ("evenkeel_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("evenkeel_node", about.name.clone()),
        ("redis_mode", if finds_way { "cluster" } else { "standalone" }.to_owned()),
        ("process_id", std::process::id().to_string()),
        ("uptime_in_seconds", about.uptime.as_secs().to_string()),
    ];
    let clients = vec![("connected_clients", resp.connected().to_string())];
    let memory: Vec<_> =
        about.rss_bytes.map(|bytes| ("used_memory_rss", bytes.to_string())).into_iter().collect();
    let persistence = vec![("loading", "0".to_owned()), ("aof_enabled", "1".to_owned())];
    let replication = vec![("role", "master".to_owned())];
    let cluster = vec![("cluster_enabled", u8::from(finds_way).to_string())];
    let sections = [
        ("Server", server),
        ("Clients", clients),
        ("Memory", memory),
        ("Persistence", persistence),
        ("Replication", replication),
        ("Cluster", cluster),
    ];
    let asked = |name: &str| {
        let all = |word: &Bytes| matches!(&word[..], b"all" | b"default" | b"everything");
        wanted.is_empty()
            || wanted.iter().any(|word| all(word) || word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut text = String::new();
    for (name, fields) in sections.iter().filter(|(name, _)| asked(name)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        write!(text, "# {name}\r\n").expect("a string takes all");
        for (field, value) in fields {
            write!(text, "{field}:{value}\r\n").expect("a string takes all");
        }
    }
    text
}
