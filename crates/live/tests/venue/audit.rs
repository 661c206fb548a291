//! What has to hold of journal, ledger and account, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use walkforward_core::Timestamp;
use walkforward_live::{
    JournalRecord, OrderPurpose, OrderRecord, VerifyReport, read_journal, recover, verify_journal,
};
use walkforward_testing::FakeAlpaca;

use crate::world::Place;

/// Largest difference of cash between ledger and account: the venue rounds to billionths.
const CENT_OF_A_CENT: f64 = 1e-4;

/// What an audit counted.
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) report: VerifyReport,
    pub(crate) orders: usize,
    pub(crate) bars: u64,
}

/// Holds journal, ledger and account against each other.
pub(crate) fn audit(place: &Place, fake: &FakeAlpaca) -> Audit {
    let report = verify_journal(&place.journal(), &place.models_dir()).unwrap();
    assert!(report.is_identical(), "{report:#?}");
    let recovered = recover(&place.journal()).unwrap().unwrap();
    let (session, holdings) = (recovered.desk.session(), fake.holdings());
    assert_eq!(session.position(), holdings.position, "no position is forgotten");
    // The account began with 10,000, the ledger with 9,000 of them.
    let cash = session.cash() + 1_000.0;
    assert!((cash - holdings.cash.units()).abs() < CENT_OF_A_CENT, "{cash} {}", holdings.cash);
    each_order_once(place, fake);
    each_bar_once(place);
    Audit { report, orders: fake.orders().len(), bars: recovered.bars }
}

/// Every order that the venue has was decided, written down before, and placed once; a later attempt of a bar follows an
/// earlier one that came to nothing.
fn each_order_once(place: &Place, fake: &FakeAlpaca) {
    let mut intents = BTreeMap::new();
    let mut ended = BTreeSet::new();
    for record in read_journal(&place.journal()).unwrap() {
        let JournalRecord::Order(record) = record.unwrap() else { continue };
        match *record {
            OrderRecord::Intent(intent) => {
                let key = |attempt| (intent.bar_open, intent.purpose as u8, attempt);
                if intent.purpose == OrderPurpose::Decision && intent.attempt > 0 {
                    let before: &String = &intents[&key(intent.attempt - 1)];
                    assert!(ended.contains(before), "{before} is not over, and {} follows", intent.id);
                }
                let twice = intents.insert(key(intent.attempt), intent.id.to_string());
                assert_eq!(twice, None, "{:?} has two names", key(intent.attempt));
            }
            OrderRecord::Closed { id, .. } => {
                ended.insert(id.to_string());
            }
            _ => {}
        }
    }
    let known: Vec<&String> = intents.values().collect();
    for order in fake.orders() {
        assert_eq!(fake.placed(&order.client_id).1, 1, "{} was placed more than once", order.client_id);
        assert!(known.contains(&&order.client_id), "{} is in no journal", order.client_id);
    }
}

/// Each minute closed once, in order, and was decided by no more than one model.
fn each_bar_once(place: &Place) {
    let mut last: Option<Timestamp> = None;
    for record in read_journal(&place.journal()).unwrap() {
        if let JournalRecord::Bar(bar) = record.unwrap() {
            if let Some(last) = last {
                assert_eq!(bar.open_time, last.plus_millis(60_000), "each minute once, in order");
            }
            last = Some(bar.open_time);
        }
    }
}
