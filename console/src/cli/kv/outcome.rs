//! What a write prints.
//!
//! The result word of `--json` is one of ok, unknown, error. A write whose outcome is not known is
//! never printed as failed (law 2).

use evenkeel_shared::client::ClientError;
use evenkeel_shared::command::OperationResult;
use evenkeel_shared::service::store::WriteReply;
use evenkeel_shared::version::Version;
use evenkeel_shared::view::SyncPolicy;
use serde::Serialize;

/// What a write prints with `--json`.
#[derive(Debug, Default, Serialize)]
pub(super) struct WriteRow {
    pub(super) result: &'static str,
    pub(super) version: Option<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existed: Option<bool>,
    /// What a counter shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
    /// Whose disks had it when it was acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sync: Option<SyncPolicy>,
    /// On the disks of how many voters it is known to be, of how many, when all were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    persisted_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl WriteRow {
    pub(super) fn of(result: &Result<WriteReply, ClientError>) -> Self {
        let failed = |error: &ClientError| Some(error.to_string());
        match result {
            Ok(reply) => Self::of_result(&reply.result).synced(reply.sync),
            Err(error @ ClientError::Unknown { persisted_by, .. }) => Self {
                result: "unknown",
                persisted_by: persisted_by.map(|(some, all)| format!("{some}/{all}")),
                error: failed(error),
                ..Self::default()
            },
            Err(error) => Self { result: "error", error: failed(error), ..Self::default() },
        }
    }

    /// With whose disks had it.
    pub(super) fn synced(self, sync: SyncPolicy) -> Self {
        Self { sync: Some(sync), ..self }
    }

    /// What one operation gave.
    pub(super) fn of_result(result: &OperationResult) -> Self {
        let failed =
            |error: &str| Self { result: "error", error: Some(error.into()), ..Self::default() };
        match result {
            OperationResult::Done { version, existed } => {
                let (version, existed) = (Some(*version), Some(*existed));
                Self { result: "ok", version, existed, ..Self::default() }
            }
            OperationResult::Written { version } | OperationResult::Provisional { version } => {
                Self { result: "ok", version: Some(*version), ..Self::default() }
            }
            OperationResult::Counted { version, value } => {
                let (version, value) = (Some(*version), Some(*value));
                Self { result: "ok", version, value, ..Self::default() }
            }
            OperationResult::NotANumber => {
                failed("the value is no whole number of 64 bits, or would not fit one")
            }
            OperationResult::ConditionFailed { actual } => {
                Self { version: *actual, ..failed(&condition_failed(*actual)) }
            }
            OperationResult::Forgotten => Self { result: "unknown", ..Self::default() },
            OperationResult::TooManyClients => {
                failed("the shard remembers as many clients as it may")
            }
            OperationResult::NotOwned => {
                failed("the key's shard is sealed by a restore, or has moved")
            }
        }
    }
}

fn condition_failed(actual: Option<Version>) -> String {
    match actual {
        Some(version) => format!("not as expected: the record's version is {version}"),
        None => "not as expected: there is no record".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_shared::ids::{Epoch, NodeId, ShardId};
    use evenkeel_shared::version::Hlc;
    use serde_json::{Value, to_value};

    use super::*;

    const VERSION: Version = Version { shard: ShardId(1), epoch: Epoch(2), term: 3, index: 7 };

    fn row(result: OperationResult) -> Value {
        let (leader, hlc, sync) = (NodeId(1), Hlc(0), SyncPolicy::Quorum);
        let reply = WriteReply { result, leader, hlc, position: None, sync };
        to_value(WriteRow::of(&Ok(reply))).unwrap()
    }

    #[test]
    fn a_put_prints_result_version_and_whose_disks_have_it() {
        let json = row(OperationResult::Done { version: VERSION, existed: false });
        assert_eq!(json["result"], "ok");
        assert_eq!(json["sync"], "quorum");
        let version = serde_json::json!({"shard": 1, "epoch": 2, "term": 3, "index": 7});
        assert_eq!(json["version"], version);
    }

    #[test]
    fn unknown_is_neither_ok_nor_error() {
        assert_eq!(row(OperationResult::Forgotten)["result"], "unknown");
        let last = || "closed".to_owned();
        let persisted_by = Some((2, 3));
        let error = ClientError::Unknown { attempts: 1, last: last(), persisted_by };
        let json = to_value(WriteRow::of(&Err(error))).unwrap();
        assert_eq!((&json["result"], &json["persisted_by"]), (&"unknown".into(), &"2/3".into()));
        let error = ClientError::Unavailable { attempts: 1, last: last() };
        assert_eq!(to_value(WriteRow::of(&Err(error))).unwrap()["result"], "error");
    }

    #[test]
    fn a_condition_that_failed_names_the_actual_version() {
        let json = row(OperationResult::ConditionFailed { actual: Some(VERSION) });
        assert_eq!(json["result"], "error");
        assert_eq!(json["version"]["index"], 7);
    }
}
