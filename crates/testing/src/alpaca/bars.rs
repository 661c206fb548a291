//! The fake's history of minutes, and how it writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use walkforward_core::{Bar, Symbol, Timestamp};

/// Minutes that are kept: more than two years.
const MAX_BARS: usize = 1_200_000;
/// Bars of a page, whatever is asked for: the service may give fewer than its limit.
const PAGE_BARS: usize = 500;

/// Minutes by their start.
#[derive(Debug, Default)]
pub(super) struct Bars {
    by_start: BTreeMap<i64, Bar>,
}

impl Bars {
    pub(super) fn put(&mut self, bar: Bar) {
        assert!(self.by_start.len() < MAX_BARS, "more than {MAX_BARS} bars");
        self.by_start.insert(bar.open_time().as_millis(), bar);
    }

    /// A page of the history, both ends included, as the service counts; or why there is none.
    pub(super) fn page(&self, symbol: &Symbol, query: impl Fn(&str) -> Option<String>) -> (u16, Value) {
        let refused = |message: &str| (400, json!({"message": message}));
        let Some(asked) = query("symbols").filter(|it| it.contains('/')) else {
            return refused("invalid symbol: it does not match ^[A-Z]+x?/[A-Z]+$");
        };
        if query("timeframe").as_deref() != Some("1Min") {
            return refused("this service has minutes alone");
        }
        let time = |name: &str| query(name).and_then(|text| text.parse::<Timestamp>().ok());
        let (Some(start), Some(end)) = (time("start"), time("end")) else {
            return refused("Invalid format for parameter start");
        };
        let first = query("page_token").and_then(|token| token.parse().ok()).unwrap_or(start.as_millis());
        if asked != symbol.to_string() || first > end.as_millis() {
            return (200, json!({"bars": {}, "next_page_token": null}));
        }
        let mut span = self.by_start.range(first..=end.as_millis());
        let page: Vec<Value> = span.by_ref().take(PAGE_BARS).map(|(_, bar)| fields(bar)).collect();
        let token = span.next().map(|(start, _)| start.to_string());
        match page.is_empty() {
            true => (200, json!({"bars": {}, "next_page_token": null})),
            false => (200, json!({"bars": {asked: page}, "next_page_token": token})),
        }
    }
}

/// A bar in the service's letters.
fn fields(bar: &Bar) -> Value {
    let start = bar.open_time().to_string().replace(".000Z", "Z");
    json!({"t": start, "o": bar.open(), "h": bar.high(), "l": bar.low(), "c": bar.close(), "v": bar.volume(),
        "n": 3, "vw": bar.close()})
}

/// A frame with one bar: `b` for a new one, `u` for a correction.
pub(super) fn frame(kind: &str, symbol: &Symbol, bar: &Bar) -> String {
    let mut message = fields(bar);
    message["T"] = json!(kind);
    message["S"] = json!(symbol.to_string());
    json!([message]).to_string()
}
