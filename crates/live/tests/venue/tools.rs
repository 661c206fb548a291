//! Each bar of a session at a venue can be explained, and each order has its cost.

use std::collections::BTreeSet;

use walkforward_live::{
    BarChoice, JournalRecord, OrderPurpose, OrderRecord, cost_report, explain, read_journal,
};
use walkforward_testing::FakeAlpaca;

use crate::world::Place;

/// Explains every bar and adds up every order; gives how many orders were found that way.
pub(crate) fn look(place: &Place, fake: &FakeAlpaca) -> usize {
    let records: Vec<JournalRecord> = read_journal(&place.journal()).unwrap().map(Result::unwrap).collect();
    let mut explained = BTreeSet::new();
    for record in &records {
        let JournalRecord::Bar(bar) = record else { continue };
        let choice = BarChoice::OpenTime(bar.open_time);
        let it = explain(&place.journal(), &place.models_dir(), choice).unwrap();
        assert_eq!((it.difference, it.record.open_time), (None, bar.open_time));
        for order in it.orders.iter().filter(|order| order.sent_at.is_some()) {
            assert!(order.outcome.is_some(), "it is followed to its end: {order:?}");
            explained.insert(order.intent.id.to_string());
        }
    }
    let decided = |record: &JournalRecord| match record {
        JournalRecord::Order(order) => match order.as_ref() {
            OrderRecord::Intent(intent) if intent.purpose == OrderPurpose::Decision => {
                Some(intent.id.to_string())
            }
            _ => None,
        },
        _ => None,
    };
    let decided: BTreeSet<String> = records.iter().filter_map(decided).collect();
    for order in fake.orders().iter().filter(|order| decided.contains(&order.client_id)) {
        assert!(explained.contains(&order.client_id), "{} is told of at its bar", order.client_id);
    }
    let report = cost_report(&place.journal(), 1_000).unwrap();
    let filled =
        fake.orders().iter().filter(|it| decided.contains(&it.client_id) && !it.filled.is_zero()).count();
    assert_eq!((report.order_count as usize, report.orders.len()), (filled, filled), "{report:#?}");
    explained.len()
}
