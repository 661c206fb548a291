//! Names of orders.

use walkforward_core::{ClientOrderId, IdError, Timestamp};
use walkforward_policy::sha256_hex;

use super::OrderPurpose;

/// Hex digits of a name: 80 bits.
const DIGITS: usize = 20;

/// The name of an order: `wf-` and the first 20 hex digits of the SHA-256 of where it comes from. The same bar gives the
/// same name, before a crash and after it.
///
/// # Errors
/// Never for texts that [`super::OrderRules::validate`] passes.
pub fn order_id(
    deployment: &str,
    line: &str,
    bar_open: Timestamp,
    purpose: OrderPurpose,
    attempt: u32,
) -> Result<ClientOrderId, IdError> {
    let kind = match purpose {
        OrderPurpose::Decision => "decision",
        OrderPurpose::Stop => "stop",
    };
    let source = format!("{deployment}\n{line}\n{}\n{kind}\n{attempt}", bar_open.as_millis());
    let digest = sha256_hex(source.as_bytes());
    format!("{}{}", ClientOrderId::PREFIX, &digest[..DIGITS]).parse()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_follows_from_where_the_order_comes_from() {
        let bar = Timestamp::EPOCH.plus_millis(1_704_067_200_000);
        let id = order_id("deployment-1", "default", bar, OrderPurpose::Decision, 0).unwrap();
        // printf 'deployment-1\ndefault\n1704067200000\ndecision\n0' | sha256sum
        assert_eq!(id.as_str(), "wf-2d5533e333edf2e1dbcc");
        let later = bar.plus_millis(60_000);
        let names: BTreeSet<_> = [
            order_id("deployment-1", "default", bar, OrderPurpose::Decision, 0),
            order_id("deployment-2", "default", bar, OrderPurpose::Decision, 0),
            order_id("deployment-1", "other", bar, OrderPurpose::Decision, 0),
            order_id("deployment-1", "default", later, OrderPurpose::Decision, 0),
            order_id("deployment-1", "default", bar, OrderPurpose::Stop, 0),
            order_id("deployment-1", "default", bar, OrderPurpose::Decision, 1),
        ]
        .into_iter()
        .map(Result::unwrap)
        .collect();
        assert_eq!(names.len(), 6);
    }
}
