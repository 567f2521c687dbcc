//! What the configuration accepts, refuses, and says. One check a feature, cases as text.

use clap::Parser;

use super::*;

/// The command line around the arguments, as the console and the thin binary have it.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    agent: AgentArgs,
}

fn args(line: &str) -> AgentArgs {
    Line::try_parse_from(line.split_whitespace()).expect("the line parses").agent
}

fn settings(line: &str) -> Settings {
    args(&format!("agent {line}")).settings
}

fn check(line: &str) -> Result<Config, String> {
    Config::check(settings(line)).map_err(|error| error.to_string())
}

fn good(line: &str) -> Config {
    check(line).unwrap_or_else(|why| panic!("{line}: {why}"))
}

const NODE: &str = "--name n1 --data /d";

#[test]
fn the_command_line_is_well_formed() {
    <Line as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn the_least_that_is_said_is_enough() {
    let config = good(NODE);
    assert_eq!(config.listen.to_string(), "127.0.0.1:7400");
    assert_eq!(config.grace, Duration::from_secs(60));
    assert!(config.log.starts_with("info,"), "{}", config.log);
    assert_eq!((config.zone.as_str(), config.capacity, config.bootstrap), ("default", 100, None));
}

#[test]
fn every_refusal_names_the_setting_and_what_to_try() {
    for (line, expected) in [
        ("--data /d", "--name is missing; give the node a name"),
        ("--name n1", "--data is missing; give the node a folder"),
        ("--name N1 --data /d", "--name \"N1\" is not 1 to 32 of a-z"),
        ("--name ä --data /d", "--name \"ä\" is not 1 to 32"),
        ("--name n1 --data /d --zone a/b", "--zone \"a/b\" is not"),
        ("--name n1 --data /d --listen 7400", "--listen 7400 is not host:port (there is no port)"),
        ("--name n1 --data /d --listen ::1:7400", "an IPv6 number stands in brackets"),
        ("--name n1 --data /d --listen 10.0.0.1:7400", "is not on loopback"),
        ("--name n1 --data /d --resp 10.0.0.1:7400", "or give --insecure"),
        ("--name n1 --data /d --http example.org:80", "--http example.org:80 is not on loopback"),
        ("--name n1 --data /d --listen 0.0.0.0:7400 --insecure", "give --advertise HOST:PORT"),
        ("--name n1 --data /d --advertise 0.0.0.0:1", "is not an address that can be dialled"),
        ("--name n1 --data /d --join a:1,b:0", "--join b:0 is not an address that can be dialled"),
        ("--name n1 --data /d --join a:1,b", "--join b is not host:port"),
        ("--name n1 --data /d --shards 4", "give --bootstrap too"),
        ("--name n1 --data /d --bootstrap --shards 0", "--shards 0 is not from 1 to 4096"),
        ("--name n1 --data /d --bootstrap --replicas 10", "--replicas 10 is not from 1 to 9"),
        ("--name n1 --data /d --capacity 0", "--capacity 0 is not from 1 to 10000"),
        ("--name n1 --data /d --grace soon", "--grace soon is not a duration such as 90s"),
        ("--name n1 --data /d --grace 1ms", "--grace 1ms is not from 1s to 7days"),
        ("--name n1 --data /d --log a=b=c", "--log \"a=b=c\" is not a level or filter"),
        ("--name n1 --data /d --resp 127.0.0.1:7400", "--listen and --resp both name"),
    ] {
        let why = check(line).expect_err(line);
        assert!(why.contains(expected), "{line}\n  gave: {why}\n  not:  {expected}");
    }
}

#[test]
fn flags_win_over_the_file() {
    let text = "name = 'n1'\ndata = '/d'\nzone = 'a'\ndrills = true\njoin = ['a:1']\n";
    let filed = Settings::parse(Path::new("agent.toml"), text).unwrap();
    let config = Config::check(settings("--zone b --drills=false").or(filed)).unwrap();
    assert_eq!((config.zone.as_str(), config.drills), ("b", false));
    assert_eq!(config.join.len(), 1);
}

#[test]
fn a_name_that_is_not_known_is_an_error_of_the_file() {
    let error = Settings::parse(Path::new("x/agent.toml"), "nmae = 'n1'").expect_err("a typo");
    assert!(error.to_string().contains("x/agent.toml"));
    let source = std::error::Error::source(&error).expect("the place is named").to_string();
    assert!(source.contains("nmae"), "{source}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.toml");
    let line = format!("agent {NODE} --config {}", path.display());
    assert!(matches!(Config::load(&args(&line)), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn what_is_printed_gives_the_same_configuration_again() {
    for line in [
        NODE.to_owned(),
        format!("{NODE} --bootstrap --shards 8 --join a:1,[::1]:2 --grace 90s --log-format json"),
        format!("{NODE} --insecure --listen 0.0.0.0:7 --advertise h:7 --resp 0.0.0.0:8 --drills"),
        format!("{NODE} --supervise --exit-on-stdin-close --http localhost:9 --resp [::1]:3"),
    ] {
        let config = good(&line);
        let printed = config.to_toml();
        let again = Config::check(Settings::parse(Path::new("-"), &printed).unwrap()).unwrap();
        assert_eq!(config, again, "{printed}");
    }
}

#[test]
fn the_configuration_is_checked_and_printed_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let disk = crate::env::fs::RealDisk;
    crate::env::fs::replace(&disk, &path, b"name = 'n7'\ndata = '/d'\n").unwrap();
    let line = format!("agent config --check --config {}", path.display());
    let asked = args(&line);
    let Some(AgentCommand::Config(wanted)) = asked.command else { panic!("no command") };
    assert_eq!(wanted.answer(&asked).unwrap(), "configuration ok\n");
    let printed = ConfigArgs { check: false, print: true }.answer(&asked).unwrap();
    assert!(printed.contains("name = \"n7\"") && printed.contains("grace = \"1m\""), "{printed}");
    assert!(Line::try_parse_from(["agent", "config"]).is_err());
}

#[test]
fn the_way_in_depends_on_the_folder_and_the_flags() {
    let first = FirstKeyspace { shards: 16, replicas: 3 };
    let seed = vec!["a:1".parse::<Address>().unwrap()];
    for (more, belongs, expected) in [
        ("", true, Some(Entry::Return)),
        ("--bootstrap --join a:1", true, Some(Entry::Return)),
        ("--bootstrap", false, Some(Entry::Found(first))),
        ("--join a:1", false, Some(Entry::Join(seed.clone()))),
        ("--bootstrap --join a:1", false, Some(Entry::JoinOrFound(seed, first))),
        ("", false, None),
    ] {
        let entry = good(&format!("{NODE} {more}")).entry(belongs);
        assert_eq!(entry.ok(), expected, "{more} {belongs}");
    }
}

#[test]
fn the_map_names_the_host_that_others_reach_and_the_port_that_was_taken() {
    let bound = BoundAddresses { rpc: 70, resp: Some(71), resp_cluster: None, http: Some(72) };
    for (line, expected) in [
        ("--listen localhost:0 --resp 127.0.0.1:0", "localhost:70 127.0.0.1:71 -"),
        ("--insecure --listen 0.0.0.0:1 --advertise h:9 --http 0.0.0.0:0", "h:9 - h:72"),
        ("--insecure --listen [::]:1 --advertise [::2]:0 --resp [::]:5", "[::2]:70 [::2]:71 -"),
        ("--insecure --listen a:1 --http 0.0.0.0:2", "a:70 - a:72"),
    ] {
        let found = good(&format!("{NODE} {line}")).addresses(&bound);
        let text = |address: Option<String>| address.unwrap_or_else(|| "-".to_owned());
        let found = format!("{} {} {}", found.rpc, text(found.resp), text(found.http));
        assert_eq!(found, expected, "{line}");
    }
}
