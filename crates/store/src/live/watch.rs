//! What the watch beside a session last told: the models in its shadow, and where the rules of its guard stand.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use walkforward_core::{ArmId, ModelId, SessionId, Timestamp};

use super::read::unknown;
use crate::rows::json_column;
use crate::{MAX_JSON_BYTES, Store, StoreError};

/// The models that decide beside a session's, with paper ledgers of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveWatch {
    /// Close of the last bar that was taken.
    pub close: Option<Timestamp>,
    /// The champion that is watched; none where there is none, or it can't be run.
    pub champion: Option<ModelId>,
    /// What it is measured against; none is holding no position.
    pub anchor: Option<ModelId>,
    /// Bars since the watch over this champion began.
    pub bars: u64,
    /// Return of the champion's paper ledger over them, as a fraction.
    pub champion_return: f64,
    /// That of the anchor.
    pub anchor_return: f64,
    /// The rules, each of which takes the champion back when it is broken.
    pub rules: Vec<LiveRule>,
    /// Models of other arms.
    pub challengers: Vec<LiveChallenger>,
}

/// Where a rule of the guard stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveRule {
    /// Its word: `evidence`, `drawdown`, `turnover` or `errors`.
    pub rule: String,
    /// What is measured now.
    pub value: f64,
    /// What it may be; none where the rule is off.
    pub limit: Option<f64>,
}

/// A model of another arm, beside the one that trades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveChallenger {
    /// Its arm.
    pub arm: ArmId,
    /// The arm's newest model, which decides now.
    pub model: ModelId,
    /// Start of the first bar that counts.
    pub since: Option<Timestamp>,
    /// Bars that count: those on which the champion could be run too.
    pub bars: u64,
    /// Return of its paper ledger over them, as a fraction.
    pub total_return: f64,
    /// Return over the same bars of whoever was champion, in such a ledger.
    pub champion_return: f64,
    /// Its position at the last close as a fraction of equity.
    pub position: Option<f64>,
    /// Why it gave no answer at the last close; none where it did, or was not asked.
    pub problem: Option<String>,
}

impl Store {
    /// Replaces what the watch beside a session last told; whether the session is there already. What does not fit a row is
    /// left out, the last challenger first.
    ///
    /// # Errors
    /// The database can't be written.
    pub fn tell_live_watch(&self, id: &SessionId, watch: &LiveWatch) -> Result<bool, StoreError> {
        let text = fitting(watch.clone());
        self.database.write("say what is in the shadow in", |tx| {
            let rows = tx
                .prepare_cached("UPDATE live_sessions SET watch = ?2 WHERE id = ?1")?
                .execute(params![id.as_str(), text])?;
            Ok(rows > 0)
        })
    }

    /// What the watch beside a session last told; none before its first word, or where nobody watches.
    ///
    /// # Errors
    /// There is no such session.
    pub fn live_watch(&self, id: &SessionId) -> Result<Option<LiveWatch>, StoreError> {
        self.database.read_checked(|db| {
            let mut query = db.prepare_cached("SELECT watch FROM live_sessions WHERE id = ?1")?;
            let found = query.query_row([id.as_str()], |row| json_column(row, 0)).optional()?;
            found.ok_or_else(|| unknown(id.as_str()).into())
        })
    }
}

/// The text of a row, no longer than a row may be.
fn fitting(mut watch: LiveWatch) -> String {
    loop {
        let text = serde_json::to_string(&watch).unwrap_or_else(|_| "null".to_owned());
        if text.len() <= MAX_JSON_BYTES || watch.challengers.pop().is_none() {
            return text;
        }
    }
}
