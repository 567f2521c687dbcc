//! The machine against a model that remembers everything and computes each rule the long way, for
//! any grouping of entries into jobs and with restarts in between.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::store::machine::clients::WINDOW;
use crate::store::machine::run::RUN_SPAN;

/// One generated step.
#[derive(Clone, Debug)]
enum Step {
    Batch { wait_ms: u64, operations: Vec<Draft> },
    Seal,
    Open,
    Blank,
    Reopen,
}

/// One generated operation; the first attempt lies this far in the past.
#[derive(Clone, Debug)]
struct Draft {
    client: u64,
    sequence: u64,
    age_ms: u64,
    key: u8,
    action: DraftAction,
}

#[derive(Clone, Debug)]
enum DraftAction {
    Put { value: u8, lives_ms: Option<u64> },
    PutBlind { value: u8, lives_ms: Option<u64> },
    Delete,
    CasAbsent { value: u8 },
    CasValue { expected: u8, value: u8 },
    Add { by: i64 },
    DeleteValue { expected: u8 },
    Rename { to: u8, replace: bool },
}

fn drafts() -> impl Strategy<Value = Draft> {
    let action = prop_oneof![
        (0..3_u8, proptest::option::of(0..3_000_u64))
            .prop_map(|(value, lives_ms)| DraftAction::Put { value, lives_ms }),
        (0..3_u8, proptest::option::of(0..3_000_u64))
            .prop_map(|(value, lives_ms)| DraftAction::PutBlind { value, lives_ms }),
        Just(DraftAction::Delete),
        (0..3_u8).prop_map(|value| DraftAction::CasAbsent { value }),
        (0..3_u8).prop_map(|expected| DraftAction::DeleteValue { expected }),
        (0..4_u8, any::<bool>()).prop_map(|(to, replace)| DraftAction::Rename { to, replace }),
        (0..3_u8, 0..3_u8).prop_map(|(expected, value)| DraftAction::CasValue { expected, value }),
        prop_oneof![Just(1), Just(-7), Just(i64::MAX), Just(i64::MIN)]
            .prop_map(|by| DraftAction::Add { by }),
    ];
    let sequence = prop_oneof![1..40_u64, 1_024..1_060_u64];
    let age = prop_oneof![Just(0), Just(1_000_u64), Just(299_000), Just(301_000)];
    (1..4_u64, sequence, age, 0..4_u8, action).prop_map(
        |(client, sequence, age_ms, key, action)| Draft { client, sequence, age_ms, key, action },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![4 => Just(0), 4 => 1..2_000_u64, 1 => Just(200_000), 1 => Just(310_000)];
    let batch = (wait, proptest::collection::vec(drafts(), 1..5))
        .prop_map(|(wait_ms, operations)| Step::Batch { wait_ms, operations });
    let step = prop_oneof![
        12 => batch,
        1 => Just(Step::Seal),
        2 => Just(Step::Open),
        1 => Just(Step::Blank),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What the shard should be.
struct Model {
    records: BTreeMap<Bytes, Record>,
    answers: BTreeMap<(u64, u64), OperationResult>,
    /// Sequences answered by the entry at hand.
    fresh: BTreeMap<u64, Vec<u64>>,
    /// Sequences that go together, by each client's lowest of them.
    runs: BTreeMap<u64, BTreeMap<u64, Vec<u64>>>,
    seen: BTreeMap<u64, Hlc>,
    /// Below this, each client's answers are forgotten.
    lowest: BTreeMap<u64, u64>,
    open: bool,
}

impl Model {
    fn operation(&mut self, operation: &Operation, version: Version, now: Hlc) -> OperationResult {
        let lease = u64::try_from(CLIENT_LEASE.as_millis()).unwrap() << 16;
        let RequestId { client: ClientId(client), sequence, first_attempt } = operation.request;
        if self.seen.get(&client).is_some_and(|last| last.0 + lease < now.0) {
            self.seen.remove(&client);
            self.lowest.remove(&client);
            self.runs.remove(&client);
            self.answers.retain(|(other, _), _| *other != client);
        }
        let below = self.lowest.get(&client).is_some_and(|lowest| sequence < *lowest);
        if !below && let Some(answer) = self.answers.get(&(client, sequence)) {
            return answer.clone();
        }
        if below || first_attempt.0 + lease < now.0 {
            return OperationResult::Forgotten;
        }
        if !self.open {
            return OperationResult::NotOwned;
        }
        self.records.retain(|_, record| record.expires.is_none_or(|expires| expires > now));
        let answer = self.write(operation, version, now);
        let last = self.seen.entry(client).or_default();
        *last = (*last).max(now).max(first_attempt);
        self.answers.insert((client, sequence), answer.clone());
        self.fresh.entry(client).or_default().push(sequence);
        answer
    }

    /// Ends an entry: its answers go together by client, as far as they lie close to each other, and
    /// later are forgotten together.
    fn end_entry(&mut self) {
        for (client, mut sequences) in std::mem::take(&mut self.fresh) {
            sequences.sort_unstable();
            let runs = self.runs.entry(client).or_default();
            let mut first = None;
            for sequence in sequences {
                let begins = first.filter(|first| sequence < first + RUN_SPAN).unwrap_or(sequence);
                first = Some(begins);
                runs.entry(begins).or_default().push(sequence);
            }
            let count = |runs: &BTreeMap<u64, Vec<u64>>| runs.values().map(Vec::len).sum::<usize>();
            let window = usize::try_from(WINDOW).unwrap();
            if count(runs) < 2 * window {
                continue;
            }
            while count(runs) > window + usize::try_from(RUN_SPAN).unwrap() {
                let (_, gone) = runs.pop_first().unwrap();
                let lowest = self.lowest.entry(client).or_default();
                *lowest = (*lowest).max(gone.last().unwrap() + 1);
                for sequence in gone {
                    self.answers.remove(&(client, sequence));
                }
            }
        }
    }

    fn write(&mut self, operation: &Operation, version: Version, hlc: Hlc) -> OperationResult {
        let before = self.records.get(&operation.key);
        let existed = before.is_some();
        let (value, expires) = match &operation.action {
            WriteAction::Delete => {
                self.records.remove(&operation.key);
                return OperationResult::Done { version, existed };
            }
            WriteAction::Add { by } => {
                let text = before.map_or("0".into(), |record| {
                    String::from_utf8_lossy(&record.value).into_owned()
                });
                let sum = text.parse::<i64>().ok().and_then(|number| number.checked_add(*by));
                let Some(value) = sum else { return OperationResult::NotANumber };
                let expires = before.and_then(|record| record.expires);
                let record = Record { value: value.to_string().into(), version, hlc, expires };
                self.records.insert(operation.key.clone(), record);
                return OperationResult::Counted { version, value };
            }
            WriteAction::CompareAndDelete { expected } => {
                if !holds(expected, before) {
                    let actual = before.map(|record| record.version);
                    return OperationResult::ConditionFailed { actual };
                }
                self.records.remove(&operation.key);
                return OperationResult::Done { version, existed };
            }
            WriteAction::Rename { to, replace } => {
                let Some(record) = before.cloned() else {
                    return OperationResult::ConditionFailed { actual: None };
                };
                let there = self.records.get(to).map(|record| record.version);
                if there.is_some() && !replace {
                    return OperationResult::ConditionFailed { actual: there };
                }
                if *to != operation.key {
                    self.records.remove(&operation.key);
                    self.records.insert(to.clone(), Record { version, hlc, ..record });
                }
                return OperationResult::Done { version, existed: there.is_some() };
            }
            WriteAction::Put { value, expires } | WriteAction::PutBlind { value, expires } => {
                (value, *expires)
            }
            WriteAction::CompareAndSet { expected, value, expires } => {
                if !holds(expected, before) {
                    let actual = before.map(|record| record.version);
                    return OperationResult::ConditionFailed { actual };
                }
                (value, *expires)
            }
        };
        let record = Record { value: value.clone(), version, hlc, expires };
        self.records.insert(operation.key.clone(), record);
        if matches!(operation.action, WriteAction::PutBlind { .. }) {
            return OperationResult::Written { version };
        }
        OperationResult::Done { version, existed }
    }
}

fn holds(expected: &Expected, before: Option<&Record>) -> bool {
    match expected {
        Expected::Absent => before.is_none(),
        Expected::Value(value) => before.map(|record| &record.value) == Some(value),
        Expected::Version(version) => before.map(|record| record.version) == Some(*version),
    }
}

/// All in one slot, so that records can be renamed.
fn key_of(number: u8) -> String {
    format!("{{slot}}key{number}")
}

fn operation_of(draft: &Draft, now: Hlc) -> Operation {
    let value = |value: u8| Bytes::from(vec![value; 3]);
    let action = match draft.action.clone() {
        DraftAction::Put { value: byte, lives_ms } => WriteAction::Put {
            value: value(byte),
            expires: lives_ms.map(|milliseconds| now.plus_ms(milliseconds)),
        },
        DraftAction::PutBlind { value: byte, lives_ms } => WriteAction::PutBlind {
            value: value(byte),
            expires: lives_ms.map(|milliseconds| now.plus_ms(milliseconds)),
        },
        DraftAction::Delete => WriteAction::Delete,
        DraftAction::Add { by } => WriteAction::Add { by },
        DraftAction::DeleteValue { expected } => {
            WriteAction::CompareAndDelete { expected: Expected::Value(value(expected)) }
        }
        DraftAction::Rename { to, replace } => {
            WriteAction::Rename { to: key_of(to).into(), replace }
        }
        DraftAction::CasAbsent { value: byte } => WriteAction::CompareAndSet {
            expected: Expected::Absent,
            value: value(byte),
            expires: None,
        },
        DraftAction::CasValue { expected, value: byte } => WriteAction::CompareAndSet {
            expected: Expected::Value(value(expected)),
            value: value(byte),
            expires: None,
        },
    };
    let first_attempt = Hlc(now.0 - (draft.age_ms << 16));
    let request = request(draft.client, draft.sequence, first_attempt);
    operation(request, &key_of(draft.key), action)
}

/// Plays the steps on a machine, `group` entries a job, and compares every answer.
async fn play(steps: &[Step], group: usize) -> Result<(Status, ContentAt), TestCaseError> {
    let mut rig = Rig::serving().await;
    let mut model = Model {
        records: BTreeMap::new(),
        answers: BTreeMap::new(),
        fresh: BTreeMap::new(),
        runs: BTreeMap::new(),
        seen: BTreeMap::new(),
        lowest: BTreeMap::new(),
        open: true,
    };
    let (mut clock, mut hlc, mut epoch) = (START, START, 1);
    let (mut job, mut wanted) = (Vec::new(), Vec::new());
    for step in steps {
        hlc = hlc.next();
        let payload = match step {
            Step::Reopen => {
                hlc = Hlc(hlc.0 - 1);
                let entries = std::mem::take(&mut job);
                prop_assert_eq!(&rig.machine.inner.apply(entries).unwrap(), &wanted);
                wanted.clear();
                rig.reopen().await;
                continue;
            }
            Step::Blank => {
                wanted.push(Applied::Nothing);
                EntryPayload::Blank
            }
            Step::Seal => {
                wanted.push(Applied::Nothing);
                epoch += u64::from(model.open);
                model.open = false;
                EntryPayload::Normal(Command::Seal { hlc: clock, intent: IntentId(1) })
            }
            Step::Open => {
                wanted.push(Applied::Nothing);
                epoch += u64::from(!model.open);
                model.open = true;
                EntryPayload::Normal(Command::Open { hlc: clock, intent: IntentId(1) })
            }
            Step::Batch { wait_ms, operations } => {
                clock = clock.plus_ms(*wait_ms);
                hlc = hlc.max(clock);
                let version =
                    Version { shard: SHARD, epoch: Epoch(epoch), term: 1, index: rig.next };
                let operations: Vec<_> =
                    operations.iter().map(|draft| operation_of(draft, clock)).collect();
                let answers = operations.iter().map(|one| model.operation(one, version, hlc));
                wanted.push(Applied::Batch(answers.collect()));
                model.end_entry();
                EntryPayload::Normal(Command::Batch(Batch { hlc: clock, operations }))
            }
        };
        if !matches!(step, Step::Batch { .. } | Step::Blank) {
            hlc = hlc.max(clock);
        }
        job.push(rig.entry(payload));
        if job.len() >= group {
            let entries = std::mem::take(&mut job);
            prop_assert_eq!(&rig.machine.inner.apply(entries).unwrap(), &wanted);
            wanted.clear();
        }
    }
    prop_assert_eq!(&rig.machine.inner.apply(job).unwrap(), &wanted);
    let status = rig.machine.status();
    prop_assert_eq!((status.hlc, status.epoch), (hlc, Epoch(epoch)));
    let content = compare(&rig, model, hlc)?;
    Ok((status, content))
}

/// Compares every record that has not ended.
fn compare(rig: &Rig, mut model: Model, now: Hlc) -> Result<ContentAt, TestCaseError> {
    model.records.retain(|_, record| record.expires.is_none_or(|expires| expires > now));
    let image = rig.machine.image_now().unwrap();
    let records: BTreeMap<_, _> = image
        .records()
        .map(|stored| stored.map(|stored| (stored.key, stored.record)))
        .collect::<Result<_, _>>()
        .unwrap();
    prop_assert_eq!(records, model.records);
    Ok(image.content_hash().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn answers_and_contents_are_the_models_however_entries_are_grouped(
        steps in steps(),
        group in 1..20_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let grouped = runtime.block_on(play(&steps, group))?;
        let single = runtime.block_on(play(&steps, 1))?;
        prop_assert_eq!(grouped, single);
    }
}
