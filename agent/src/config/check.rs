//! Judges settings: what is missing, out of bounds, or does not fit together. Pure.

use std::time::Duration;

use evenkeel_shared::limits::{NAME_CHARS_MAX, NODES_MAX, REPLICAS_MAX, SHARDS_MAX};

use super::address::Address;
use super::settings::Settings;
use super::{Config, ConfigError, FirstKeyspace};

const LISTEN_DEFAULT: &str = "127.0.0.1:7400";
const ZONE_DEFAULT: &str = "default";
const SHARDS_DEFAULT: u16 = 16;
const REPLICAS_DEFAULT: u8 = 3;
const CAPACITY_DEFAULT: u32 = 100;
/// Beyond this ratio the smallest node would hold nothing.
const CAPACITY_MAX: u32 = 10_000;
/// The libraries speak of every message at info; of them only trouble is told. What tarpc calls an
/// error is a caller whose deadline has passed, and says neither whose nor which.
///
/// A change of members that comes while another is under way is refused, and tried again by whoever
/// asked for it: openraft calls that an error.
const LOG_DEFAULT: &str =
    "info,openraft=error,openraft::raft::api::management=off,tarpc=off,fjall=warn,lsm_tree=warn";
const GRACE_DEFAULT: Duration = Duration::from_secs(60);
/// Shorter, and the restart of a process would move data.
const GRACE_MIN: Duration = Duration::from_secs(1);
/// Longer, and a lost replica would not be replaced before the next is lost.
const GRACE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

const SCRUB_DEFAULT: Duration = Duration::from_secs(6 * 3600);
/// Shorter, and nothing else would be read.
const SCRUB_MIN: Duration = Duration::from_secs(1);
/// Longer, and rot could reach every copy before it is seen.
const SCRUB_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn check(settings: Settings) -> Result<Config, ConfigError> {
    let name = settings.name.ok_or(ConfigError::Missing {
        setting: "name",
        hint: "give the node a name of its own, such as --name n1",
    })?;
    let data = settings.data.ok_or(ConfigError::Missing {
        setting: "data",
        hint: "give the node a folder of its own, such as --data /var/lib/evenkeel",
    })?;
    let insecure = settings.insecure.unwrap_or(false);
    let bootstrap = settings.bootstrap.unwrap_or(false);
    let zone = settings.zone.unwrap_or_else(|| ZONE_DEFAULT.to_owned());
    let listen = settings.listen.unwrap_or_else(|| LISTEN_DEFAULT.to_owned());
    let listen = listener("listen", &listen, insecure)?;
    let optional = |setting, text: Option<String>| {
        text.map(|text| listener(setting, &text, insecure)).transpose()
    };
    let config = Config {
        name: checked_name("name", name)?,
        data,
        advertise: settings.advertise.map(|text| advertised(&text)).transpose()?,
        bootstrap: first_keyspace(bootstrap, settings.shards, settings.replicas)?,
        join: seeds(settings.join.unwrap_or_default())?,
        insecure,
        zone: checked_name("zone", zone)?,
        capacity: capacity(settings.capacity)?,
        resp: optional("resp", settings.resp)?,
        resp_cluster: optional("resp-cluster", settings.resp_cluster)?,
        http: optional("http", settings.http)?,
        drills: settings.drills.unwrap_or(false),
        supervise: settings.supervise.unwrap_or(false),
        exit_on_stdin_close: settings.exit_on_stdin_close.unwrap_or(false),
        grace: grace(settings.grace)?,
        scrub: scrub(settings.scrub)?,
        log_format: settings.log_format.unwrap_or_default(),
        log: log_filter(settings.log)?,
        listen,
    };
    reachable(&config)?;
    apart(&config)?;
    Ok(config)
}

fn invalid(
    setting: &'static str,
    given: impl std::fmt::Display,
    expected: impl Into<String>,
    hint: impl Into<String>,
) -> ConfigError {
    let (expected, hint) = (expected.into(), hint.into());
    ConfigError::Invalid { setting, given: format!("{given}"), expected, hint }
}

fn checked_name(setting: &'static str, name: String) -> Result<String, ConfigError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(fits) {
        return Ok(name);
    }
    Err(invalid(
        setting,
        format!("{name:?}"),
        format!("1 to {NAME_CHARS_MAX} of a-z, 0-9, '-', '_' and '.'"),
        "choose a shorter or plainer one, such as n1",
    ))
}

fn address(setting: &'static str, text: &str) -> Result<Address, ConfigError> {
    text.parse().map_err(|why| {
        invalid(setting, text, format!("host:port ({why})"), "try one like 127.0.0.1:7400")
    })
}

fn listener(setting: &'static str, text: &str, insecure: bool) -> Result<Address, ConfigError> {
    let address = address(setting, text)?;
    if address.is_loopback() || insecure {
        return Ok(address);
    }
    Err(invalid(
        setting,
        text,
        "on loopback, the only place to listen at without certificates",
        "listen on 127.0.0.1, or give --insecure to serve whoever reaches this address",
    ))
}

fn advertised(text: &str) -> Result<Address, ConfigError> {
    let address = address("advertise", text)?;
    if !address.is_unspecified() {
        return Ok(address);
    }
    let hint = "give the address under which the other nodes reach this one";
    Err(invalid("advertise", text, "an address that can be dialled", hint))
}

fn seeds(texts: Vec<String>) -> Result<Vec<Address>, ConfigError> {
    if texts.len() > NODES_MAX {
        let expected = format!("a list of at most {NODES_MAX} nodes");
        return Err(invalid("join", texts.len(), expected, "three of them are enough"));
    }
    let dialled = |text: String| {
        let seed = address("join", &text)?;
        if seed.port == 0 || seed.is_unspecified() {
            let hint = "give the address at which that node is reached";
            return Err(invalid("join", text, "an address that can be dialled", hint));
        }
        Ok(seed)
    };
    texts.into_iter().map(dialled).collect()
}

fn first_keyspace(
    bootstrap: bool,
    shards: Option<u16>,
    replicas: Option<u8>,
) -> Result<Option<FirstKeyspace>, ConfigError> {
    if !bootstrap {
        if shards.is_none() && replicas.is_none() {
            return Ok(None);
        }
        let named = if shards.is_some() { "--shards" } else { "--replicas" };
        return Err(ConfigError::Unfit {
            why: format!("{named} describes the keyspace that --bootstrap makes"),
            hint: "give --bootstrap too, or leave it out".to_owned(),
        });
    }
    let shards = shards.unwrap_or(SHARDS_DEFAULT);
    if !(1..=SHARDS_MAX).contains(&shards) {
        return Err(invalid("shards", shards, format!("from 1 to {SHARDS_MAX}"), "16 is usual"));
    }
    let replicas = replicas.unwrap_or(REPLICAS_DEFAULT);
    if !(1..=REPLICAS_MAX).contains(&replicas) {
        let expected = format!("from 1 to {REPLICAS_MAX}");
        return Err(invalid("replicas", replicas, expected, "3 survives the loss of one node"));
    }
    Ok(Some(FirstKeyspace { shards, replicas }))
}

fn capacity(given: Option<u32>) -> Result<u32, ConfigError> {
    let capacity = given.unwrap_or(CAPACITY_DEFAULT);
    if (1..=CAPACITY_MAX).contains(&capacity) {
        return Ok(capacity);
    }
    let expected = format!("from 1 to {CAPACITY_MAX}");
    Err(invalid("capacity", capacity, expected, "100 is usual; to empty a node, drain it"))
}

fn grace(given: Option<String>) -> Result<Duration, ConfigError> {
    let bounds = Bounds { least: GRACE_MIN, most: GRACE_MAX, usual: GRACE_DEFAULT };
    duration("grace", given, bounds)
}

fn scrub(given: Option<String>) -> Result<Duration, ConfigError> {
    let bounds = Bounds { least: SCRUB_MIN, most: SCRUB_MAX, usual: SCRUB_DEFAULT };
    duration("scrub", given, bounds)
}

/// What a duration may be.
#[derive(Clone, Copy)]
struct Bounds {
    least: Duration,
    most: Duration,
    usual: Duration,
}

fn duration(
    setting: &'static str,
    given: Option<String>,
    bounds: Bounds,
) -> Result<Duration, ConfigError> {
    let Bounds { least, most, usual } = bounds;
    let Some(text) = given else { return Ok(usual) };
    let hint = format!("{} is usual", humantime::format_duration(usual));
    match humantime::parse_duration(&text) {
        Ok(given) if (least..=most).contains(&given) => Ok(given),
        Ok(_) => {
            let words = humantime::format_duration;
            let expected = format!("from {} to {}", words(least), words(most));
            Err(invalid(setting, text, expected, hint))
        }
        Err(_) => Err(invalid(setting, text, "a duration such as 90s or 5m", hint)),
    }
}

fn log_filter(given: Option<String>) -> Result<String, ConfigError> {
    let filter = given.unwrap_or_else(|| LOG_DEFAULT.to_owned());
    match tracing_subscriber::EnvFilter::builder().parse(&filter) {
        Ok(_) => Ok(filter),
        Err(why) => Err(invalid(
            "log",
            format!("{filter:?}"),
            format!("a level or filter ({why})"),
            "try info, or info,evenkeel_agent=debug",
        )),
    }
}

/// A node that listens everywhere must say where it is.
fn reachable(config: &Config) -> Result<(), ConfigError> {
    if config.advertise.is_some() || !config.listen.is_unspecified() {
        return Ok(());
    }
    Err(ConfigError::Unfit {
        why: format!("--listen {} tells nobody where this node is", config.listen),
        hint: "give --advertise HOST:PORT, as the other nodes see it".to_owned(),
    })
}

/// Two listeners can't share an address.
fn apart(config: &Config) -> Result<(), ConfigError> {
    let named = [
        ("--listen", Some(&config.listen)),
        ("--resp", config.resp.as_ref()),
        ("--resp-cluster", config.resp_cluster.as_ref()),
        ("--http", config.http.as_ref()),
    ];
    for (at, (first, address)) in named.iter().enumerate() {
        let Some(address) = address.filter(|address| address.port != 0) else { continue };
        let taken = |(_, other): &&(&str, Option<&Address>)| *other == Some(address);
        if let Some((second, _)) = named[at + 1..].iter().find(taken) {
            return Err(ConfigError::Unfit {
                why: format!("{first} and {second} both name {address}"),
                hint: "give each listener a port of its own".to_owned(),
            });
        }
    }
    Ok(())
}
