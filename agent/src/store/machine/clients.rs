//! Which clients a shard remembers: tells a new request from a retry and from a forgotten one.
//!
//! A client's lease runs from the latest time that any of its requests bore, so whoever is removed
//! has no request left whose own lease still runs (safety rule 17).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use evenkeel_shared::command::RequestId;
use evenkeel_shared::ids::ClientId;
use evenkeel_shared::limits::{CLIENT_LEASE, CLIENTS_PER_SHARD_MAX, RESULTS_PER_CLIENT_MAX};
use evenkeel_shared::version::Hlc;

use super::rows::ClientRow;

/// The clients by number and by age.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    by_id: BTreeMap<ClientId, Known>,
    by_age: BTreeSet<(Hlc, ClientId)>,
}

/// A client and its highest sequences.
#[derive(Clone, Debug)]
struct Known {
    row: ClientRow,
    recent: Recent,
}

/// The highest sequences of a client that were applied, so that requests which overtook each other
/// are known to be new without a look at the rows. Only in memory: it tells no more than they do.
#[derive(Clone, Debug)]
struct Recent {
    /// Of what is above it, exactly `applied` was applied.
    complete_above: u64,
    /// In order.
    applied: Vec<u64>,
}

/// Sequences of one client that are kept in memory: as many requests of one shard as overtake each
/// other at most, for the usual client.
const RECENT_MAX: usize = 64;

impl Recent {
    fn note(&mut self, sequence: u64) {
        let Err(place) = self.applied.binary_search(&sequence) else { return };
        if sequence <= self.complete_above {
            return;
        }
        self.applied.insert(place, sequence);
        if self.applied.len() > RECENT_MAX {
            self.complete_above = self.applied.remove(0);
        }
    }

    /// Whether it certainly was not applied.
    fn lacks(&self, sequence: u64) -> bool {
        sequence > self.complete_above && self.applied.binary_search(&sequence).is_err()
    }
}

/// What a request is, as far as the client's row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Never applied.
    New,
    /// Never applied, and its client is not known (any more): it needs a place in the table.
    NewClient,
    /// Applied, if a result row bears its sequence.
    InWindow,
    /// Older than what is remembered.
    Below,
}

impl Clients {
    /// Adds a client as its row tells of it.
    pub(super) fn load(&mut self, client: ClientId, row: ClientRow) {
        let recent = Recent { complete_above: row.highest, applied: Vec::new() };
        self.by_id.insert(client, Known { row, recent });
        self.by_age.insert((row.last, client));
    }

    /// Adds or replaces a client, of whom this sequence was applied.
    pub(super) fn insert(&mut self, client: ClientId, row: ClientRow, sequence: u64) {
        match self.by_id.entry(client) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                if known.row.last != row.last {
                    self.by_age.remove(&(known.row.last, client));
                    self.by_age.insert((row.last, client));
                }
                known.row = row;
                known.recent.note(sequence);
            }
            Entry::Vacant(place) => {
                let recent = Recent { complete_above: 0, applied: vec![sequence] };
                place.insert(Known { row, recent });
                self.by_age.insert((row.last, client));
            }
        }
    }

    /// A client's row.
    pub(super) fn row(&self, client: ClientId) -> Option<ClientRow> {
        self.by_id.get(&client).map(|known| known.row)
    }

    /// Takes over what is remembered of a client once its oldest results are gone.
    pub(super) fn shorten(&mut self, client: ClientId, row: ClientRow) {
        if let Some(known) = self.by_id.get_mut(&client) {
            (known.row.lowest, known.row.count) = (row.lowest, row.count);
        }
    }

    /// Removes and names the client that has been silent the longest, if its lease has run out.
    pub(super) fn pop_expired(&mut self, now: Hlc) -> Option<ClientId> {
        let (last, client) = *self.by_age.first()?;
        if !lease_is_over(last, now) {
            return None;
        }
        self.by_age.pop_first();
        self.by_id.remove(&client).expect("both orders hold the same clients");
        Some(client)
    }

    /// Whether no further client fits.
    pub(super) fn is_full(&self) -> bool {
        self.by_id.len() >= CLIENTS_PER_SHARD_MAX
    }

    /// Whether a request that is on its way to the log will be new when it is applied, and find a
    /// place in the table, whatever is applied before it: at most `ahead` others.
    pub(super) fn surely_new(&self, request: &RequestId, now: Hlc, ahead: usize) -> bool {
        let half = Hlc(now.0.saturating_sub(lease() / 2));
        let room = self.by_id.len() + ahead < CLIENTS_PER_SHARD_MAX;
        request.first_attempt >= half
            && match self.standing(request, now) {
                Standing::New => true,
                Standing::NewClient => room,
                Standing::InWindow | Standing::Below => false,
            }
    }

    /// Removes a client.
    pub(super) fn remove(&mut self, client: ClientId) -> Option<ClientRow> {
        let row = self.by_id.remove(&client)?.row;
        self.by_age.remove(&(row.last, client));
        Some(row)
    }

    /// How the request stands to what is remembered. A client whose lease has run out is unknown,
    /// whether it has been removed yet or not.
    pub(super) fn standing(&self, request: &RequestId, now: Hlc) -> Standing {
        let known = self.by_id.get(&request.client);
        let Some(known) = known.filter(|known| !lease_is_over(known.row.last, now)) else {
            return Standing::NewClient;
        };
        if request.sequence > known.row.highest {
            Standing::New
        } else if request.sequence < known.row.lowest {
            Standing::Below
        } else if known.recent.lacks(request.sequence) {
            Standing::New
        } else {
            Standing::InWindow
        }
    }

    /// The client's row once this request has been applied at `now`.
    pub(super) fn after(&self, request: &RequestId, now: Hlc) -> ClientRow {
        let latest = now.max(request.first_attempt);
        match self.by_id.get(&request.client).map(|known| known.row) {
            None => ClientRow { last: latest, lowest: 0, highest: request.sequence, count: 1 },
            Some(row) => ClientRow {
                last: row.last.max(latest),
                lowest: row.lowest,
                highest: row.highest.max(request.sequence),
                count: row.count + 1,
            },
        }
    }
}

/// Results of one client that are remembered at least. In unit tests few, so that they get past it.
pub(super) const WINDOW: u64 = if cfg!(test) { 8 } else { RESULTS_PER_CLIENT_MAX };

/// When so many are remembered, the oldest go, down to about the window.
pub(super) const REMEMBERED_MAX: u64 = 2 * WINDOW;

/// Whether a lease that began at `since` has run out.
pub(super) fn lease_is_over(since: Hlc, now: Hlc) -> bool {
    since.0.saturating_add(lease()) < now.0
}

fn lease() -> u64 {
    let lease_ms = u64::try_from(CLIENT_LEASE.as_millis()).expect("the lease fits 64 bits");
    lease_ms << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(client: u64, sequence: u64, at: Hlc) -> RequestId {
        RequestId { client: ClientId(client), sequence, first_attempt: at }
    }

    fn apply(clients: &mut Clients, request: RequestId, now: Hlc) {
        let row = clients.after(&request, now);
        clients.insert(request.client, row, request.sequence);
    }

    #[test]
    fn a_request_stands_by_what_is_remembered() {
        let mut clients = Clients::default();
        let at = Hlc::from_unix_ms(1);
        assert_eq!(clients.standing(&request(1, 5, at), at), Standing::NewClient);
        apply(&mut clients, request(1, 2_000, at), at);
        assert_eq!(clients.standing(&request(1, 2_001, at), at), Standing::New);
        assert_eq!(clients.standing(&request(1, 2_000, at), at), Standing::InWindow);
        let row = ClientRow { lowest: 977, ..clients.by_id[&ClientId(1)].row };
        clients.load(ClientId(1), row);
        assert_eq!(clients.standing(&request(1, 977, at), at), Standing::InWindow);
        assert_eq!(clients.standing(&request(1, 976, at), at), Standing::Below);
    }

    #[test]
    fn requests_that_overtook_each_other_are_new_until_they_are_applied() {
        let mut clients = Clients::default();
        let at = Hlc::from_unix_ms(1);
        let highest = 3 * RECENT_MAX as u64;
        for sequence in (2..=highest).step_by(2) {
            apply(&mut clients, request(1, sequence, at), at);
        }
        let standing =
            |clients: &Clients, sequence| clients.standing(&request(1, sequence, at), at);
        assert_eq!(standing(&clients, highest - 1), Standing::New, "overtaken");
        assert_eq!(standing(&clients, highest), Standing::InWindow, "applied");
        apply(&mut clients, request(1, highest - 1, at), at);
        assert_eq!(standing(&clients, highest - 1), Standing::InWindow, "applied late");
        // Of those that are kept no longer, only the rows can tell.
        assert_eq!(standing(&clients, 3), Standing::InWindow);
        let mut restarted = Clients::default();
        restarted.load(ClientId(1), clients.by_id[&ClientId(1)].row);
        assert_eq!(standing(&restarted, highest - 1), Standing::InWindow, "only the rows can tell");
        assert_eq!(standing(&restarted, highest + 2), Standing::New);
        apply(&mut restarted, request(1, highest + 2, at), at);
        assert_eq!(standing(&restarted, highest + 1), Standing::New);
        assert_eq!(standing(&restarted, highest + 2), Standing::InWindow);
    }

    #[test]
    fn only_what_can_not_be_refused_any_more_is_surely_new() {
        let mut clients = Clients::default();
        let now = Hlc::from_unix_ms(1_000_000);
        apply(&mut clients, request(1, 5, now), now);
        assert!(clients.surely_new(&request(1, 6, now), now, 0));
        assert!(!clients.surely_new(&request(1, 5, now), now, 0), "it may be a retry");
        assert!(clients.surely_new(&request(2, 1, now), now, 0));
        assert!(!clients.surely_new(&request(2, 1, now), now, CLIENTS_PER_SHARD_MAX - 1));
        let old = Hlc(now.0 - lease() / 2 - 1);
        assert!(!clients.surely_new(&request(1, 6, old), now, 0), "its lease may run out");
    }

    #[test]
    fn a_client_leaves_once_none_of_its_requests_has_a_lease_left() {
        let mut clients = Clients::default();
        let (now, ahead) = (Hlc::from_unix_ms(1_000), Hlc::from_unix_ms(1_400));
        apply(&mut clients, request(1, 1, ahead), now);
        let lease_ms = u64::try_from(CLIENT_LEASE.as_millis()).unwrap();
        assert_eq!(clients.pop_expired(now.plus_ms(lease_ms).next()), None);
        assert_eq!(clients.pop_expired(ahead.plus_ms(lease_ms)), None);
        assert_eq!(clients.by_id[&ClientId(1)].row.last, ahead);
        let client = clients.pop_expired(ahead.plus_ms(lease_ms).next()).unwrap();
        assert_eq!(client, ClientId(1));
        assert_eq!(clients.standing(&request(1, 1, ahead), ahead), Standing::NewClient);
    }
}
