//! A trader with everything that runs beside it, for days of minutes. `cargo bench --bench soak -- trader` runs two years.

#[path = "../benches/shared/process.rs"]
mod process;
#[path = "../benches/soak/trader.rs"]
mod trader;

use crate::support::scrape;
use trader::{Place, Soak, Then, check_is_flat};

const SOAK: Soak = Soak {
    months: 6,
    month_bars: 1_000,
    training_bars: 5_760,
    iterations: 3,
    segment_mib: 1,
    keep_segments: 4,
};

#[test]
fn a_whole_trader_takes_no_more_with_time_and_comes_to_the_same_ledger_after_a_kill() {
    let place = Place::new(SOAK);
    let mut samples = Vec::new();
    let summary = place.trade("whole", |sample| {
        samples.push(*sample);
        Then::GoOn
    });
    assert_eq!(summary.unwrap()["bars"], place.bars());
    check_is_flat(&samples, &SOAK);
    let whole = place.end("whole");
    whole.check(place.bars());
    assert!(whole.verdicts == 0 && whole.tables["fills"].as_u64() > Some(50), "{whole:?}");

    // However far it had come: the next process goes on.
    let is_half = |month: usize| month >= SOAK.months / 2;
    let killed = place.trade("killed", |sample| if is_half(sample.month) { Then::Kill } else { Then::GoOn });
    if killed.is_none() {
        place.trade("killed", |_| Then::GoOn).unwrap();
    }
    let cut = place.end("killed");
    cut.check(place.bars());
    assert_eq!((cut.verdicts, &cut.ledger), (0, &whole.ledger));
    if cut.gaps == 0 && whole.gaps == 0 {
        assert_eq!(cut.tables, whole.tables);
    }
    for journal in ["whole", "killed"] {
        let verified = place.verify(journal);
        assert!(verified["differences"] == 0 && verified["bars"].as_u64() > Some(0), "{verified}");
    }
}
