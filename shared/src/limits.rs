//! Every bound that both sides of a connection must agree on, each with its reason (law 7).

use std::time::Duration;

/// Largest key: keys are held in memory by caches and logs, values are not.
pub const KEY_BYTES_MAX: usize = 4 << 10;
/// Largest value: it travels in one frame and rests in one log record.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Largest frame before a connection has said Hello: a stranger costs next to nothing.
pub const HELLO_FRAME_BYTES_MAX: usize = 64 << 10;
/// Largest frame of Admin and Watch connections.
pub const CONTROL_FRAME_BYTES_MAX: usize = 1 << 20;
/// Largest frame of Store and Peer connections: a value, its key and a batch's overhead.
pub const DATA_FRAME_BYTES_MAX: usize = 4 << 20;
/// How long a stranger may take to say Hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a frame or command that has begun may take to come in: until then it holds its buffer.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a reader may take nothing of what waits for it: until then its replies are held.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Operations in one log entry: large enough to amortise a sync, small enough to apply at once.
pub const BATCH_OPERATIONS_MAX: usize = 256;
/// Bytes of keys and values in one log entry: it must fit a frame with its overhead.
pub const BATCH_BYTES_MAX: usize = 2 << 20;
/// Operations that wait for one shard's proposer before callers are told `Busy`.
pub const PROPOSALS_QUEUED_MAX: usize = 4_096;
/// How long an operation may have to wait for its entry before callers are told `Busy` at once: an
/// answer that comes late is worth less than the room that it takes.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_millis(250);
/// Bytes of all writes of a node that wait for their entries; beyond it callers are told `Busy`.
pub const QUEUED_BYTES_MAX: usize = 64 << 20;
/// Entries of one shard proposed and not yet answered.
pub const ENTRIES_IN_FLIGHT_MAX: usize = 64;
/// Requests of one connection in flight; beyond it the server stops reading.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 1_024;
/// Requests of one operators' connection in flight: people and scripts ask one thing at a time,
/// and an answer may hold the view of the whole cluster.
pub const ADMIN_REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Bytes of requests in flight and of replies not yet sent, for one connection: beyond it the
/// server stops reading, and what is asked already is answered `Busy`.
pub const CONNECTION_BYTES_MAX: usize = 64 << 20;
/// The same for an agent's connection, which carries what all its clients ask of others.
pub const AGENT_CONNECTION_BYTES_MAX: usize = 256 << 20;
/// Connections that an agent holds open at once.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How many of them may be others than agents: clients that leak connections never keep peers out.
pub const CLIENT_CONNECTIONS_MAX: usize = CONNECTIONS_MAX - 512;
/// How long whoever is turned away may take to accept the reason.
pub const TURN_AWAY_TIMEOUT: Duration = Duration::from_millis(100);

/// Shortest deadline that a server honours.
pub const DEADLINE_MIN: Duration = Duration::from_millis(1);
/// Longest deadline that a server honours: an unbounded one would pin resources.
pub const DEADLINE_MAX: Duration = Duration::from_secs(60);
/// The deadline when a caller names none.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);

/// Longest life of a record that ends: beyond it, hybrid logical time would overflow some day.
pub const TTL_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Results kept for one client and shard at least, so that retries are answered (safety rule 17).
pub const RESULTS_PER_CLIENT_MAX: u64 = 1_024;
/// Clients whose results one shard keeps; a full table refuses new clients and evicts none.
pub const CLIENTS_PER_SHARD_MAX: usize = 4_096;
/// A client that has not written for this long is forgotten, counted in HLC.
pub const CLIENT_LEASE: Duration = Duration::from_secs(300);
/// How far ahead of its own clock an agent lets a remote HLC pull it.
pub const HLC_AHEAD_MAX: Duration = Duration::from_millis(500);

/// Keys in one page of a scan.
pub const SCAN_KEYS_MAX: u32 = 1_000;
/// Bytes in one page of a scan: it must fit a data frame.
pub const SCAN_BYTES_MAX: usize = 2 << 20;

/// Longest name of a file: escaped, it is part of the keys of its chunks.
pub const FILE_NAME_BYTES_MAX: usize = 1 << 10;
/// Bytes of a file in one chunk: the largest value; smaller ones are no faster, only more
/// (docs/benchmarks.md).
pub const FILE_CHUNK_BYTES: u32 = 1 << 20;
/// Chunks whose hashes lie in one page: what a resumed upload sends again at most. On disk.
pub const FILE_PAGE_CHUNKS: u64 = 16;
/// Chunks of one file under way at once: enough to keep several shards busy, little memory.
pub const FILE_CHUNKS_IN_FLIGHT: usize = 8;
/// Unfinished uploads of one name: its record must stay small.
pub const FILE_UPLOADS_MAX: usize = 16;
/// How often one upload may be resumed before it begins anew.
pub const FILE_PARTS_MAX: usize = 32;
/// Versions of one name that are kept for readers; of more, the oldest lose the rest of their grace.
pub const FILE_DROPPED_KEPT: usize = 32;
/// Versions of one name that wait to be collected; beyond it, a writer collects before it goes on.
pub const FILE_DROPPED_MAX: usize = 64;
/// How long a version that was replaced or deleted is kept: readers of some ten GiB finish.
pub const FILE_GRACE: Duration = Duration::from_secs(10 * 60);
/// How long an upload that nobody goes on with can be resumed: overnight, and not for ever.
pub const FILE_LEASE: Duration = Duration::from_secs(24 * 3_600);
/// How often an upload says that it goes on, and how far it has come.
pub const FILE_RENEW: Duration = Duration::from_secs(5);
/// An upload that has said nothing for so long gives way when a name has too many of them.
pub const FILE_SILENT: Duration = Duration::from_secs(120);
/// How often a change of a file's record is tried against others who change it too.
pub const FILE_CHANGES_MAX: u32 = 64;

/// Longest name of a node, zone or keyspace: a table column stays readable.
pub const NAME_CHARS_MAX: usize = 32;
/// Nodes in one cluster; each pair exchanges heartbeats.
pub const NODES_MAX: usize = 1_000;
/// Shards in one keyspace.
pub const SHARDS_MAX: u16 = 4_096;
/// Replicas of one shard: a quorum of more than this is slower than it is safer.
pub const REPLICAS_MAX: u8 = 9;
/// Events that the journal keeps in the system shard.
pub const EVENTS_MAX: usize = 2_000;
/// Events in one reply.
pub const EVENTS_PER_REPLY_MAX: usize = 500;
/// Bytes of one version of the recovery policy: a page of text, not a program.
pub const POLICY_BYTES_MAX: usize = 16 << 10;
/// Versions of it that are kept.
pub const POLICIES_MAX: usize = 32;
/// Steps of repair under way at once: each is a task of the controller and a shard's change.
pub const REPAIR_STEPS_MAX: u16 = 64;
/// Longest time for which anything declared about recovery holds back or waits: a week.
pub const GRACE_MAX_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// Reports on nodes that are kept, of all sources; a source has one a node.
pub const REPORTS_MAX: usize = 256;
/// Decisions on steps that are kept.
pub const DECISIONS_MAX: usize = 256;
/// Acts that wait for their time.
pub const SCHEDULED_MAX: usize = 64;
/// Longest sentence that somebody gives as a reason.
pub const REASON_CHARS_MAX: usize = 400;
/// Consoles that one agent feeds.
pub const WATCHERS_MAX: usize = 32;

/// How often each pair of nodes exchanges heartbeats.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(100);
/// How often an agent reports to an attached console.
pub const WATCH_INTERVAL: Duration = Duration::from_millis(200);
