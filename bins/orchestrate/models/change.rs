//! `orchestrate models pin|unpin|rollback`.

use serde_json::json;
use walkforward::failure::Failure;
use walkforward_core::{LineName, ModelId};

use super::refuse;
use crate::home::Home;

/// Keeps a model.
pub(super) fn pin(home: &Home, id: &ModelId, reason: &str) -> Result<(), Failure> {
    let pin = home.store.pin(id, reason).map_err(refuse)?;
    home.print(|| json!({ "done": "pinned", "pin": pin }), || format!("{id} is pinned: {}\n", pin.reason))
}

/// Lets a model go.
pub(super) fn unpin(home: &Home, id: &ModelId) -> Result<(), Failure> {
    home.store.unpin(id).map_err(refuse)?;
    home.print(|| json!({ "done": "unpinned", "model": id }), || format!("{id} is no longer pinned\n"))
}

/// Goes back to an earlier champion.
pub(super) fn rollback(
    home: &Home,
    line: &LineName,
    to: Option<&ModelId>,
    reason: &str,
) -> Result<(), Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::input("--reason is empty: say why, for the history"));
    }
    let done = home.store.rollback(line, to, reason.trim()).map_err(refuse)?;
    let json = || {
        json!({
            "done": "rolled_back", "line": line, "from": done.from(), "to": done.to(), "sequence": done.sequence(),
            "reason": reason.trim(),
        })
    };
    home.print(json, || {
        let from = done.from().map_or("nobody", ModelId::as_str);
        format!("line '{line}': {from} -> {}\n", done.to())
    })
}
