//! Months of minutes through the real trader: twice from start to end, once killed in the middle, and once while a new
//! champion comes each month. A JSON line for each month, and one at the end of each run.
//!
//! The first three have to come to the same ledger, to the last bit. When a new champion comes is not the same in each
//! run; that one is checked by running its journal again.

use std::time::Instant;

use serde_json::json;

use super::trader::{Place, Sample, Soak, Then, check_is_flat};

/// A twelfth of a year of minutes.
const MONTH_BARS: usize = 43_830;
/// Three weeks.
const TRAINING_BARS: usize = 30_000;
const ITERATIONS: usize = 10;
/// What the journal keeps: less than a month writes.
const SEGMENT_MIB: usize = 8;
const KEEP_SEGMENTS: usize = 4;

/// Runs all four.
pub(crate) fn run(months: usize) {
    let soak = Soak {
        months,
        month_bars: MONTH_BARS,
        training_bars: TRAINING_BARS,
        iterations: ITERATIONS,
        segment_mib: SEGMENT_MIB,
        keep_segments: KEEP_SEGMENTS,
    };
    let place = Place::new(soak);
    let mut ledgers = Vec::new();
    for (name, kill_at) in [("whole", None), ("whole again", None), ("killed", Some(months / 2))] {
        if kill_at.is_some() {
            trade(&place, &soak, name, |sample| match kill_at.is_some_and(|month| sample.month >= month) {
                true => Then::Kill,
                false => Then::GoOn,
            });
        }
        trade(&place, &soak, name, |_| Then::GoOn);
        ledgers.push(tell_end(&place, name));
    }
    let is_same = ledgers.iter().all(|ledger| *ledger == ledgers[0]);
    println!("{}", json!({ "ledgers": ledgers, "is_same": is_same }));
    assert!(is_same, "the same bars came to different ledgers");
    let mut champions = 1;
    trade(&place, &soak, "promoted", |sample| {
        if sample.month < months {
            champions += 1;
            place.promote(champions);
        }
        Then::GoOn
    });
    tell_end(&place, "promoted");
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is wall time")]
fn trade(place: &Place, soak: &Soak, name: &str, mut then: impl FnMut(&Sample) -> Then) {
    let (begin, mut samples) = (Instant::now(), Vec::new());
    let summary = place.trade(name, |sample| {
        samples.push(*sample);
        let Sample { month, rss_mib, files, threads, segments, journal_mib, database_mib } = sample;
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{}",
            json!({
                "run": name, "month": month, "seconds": seconds, "rss_mib": rss_mib, "files": files,
                "threads": threads, "segments": segments, "journal_mib": journal_mib,
                "database_mib": database_mib,
            })
        );
        then(sample)
    });
    check_is_flat(&samples, soak);
    println!("{}", json!({ "run": name, "seconds": begin.elapsed().as_secs_f64(), "summary": summary }));
}

/// Checks and tells what a session has come to; its ledger's hash.
fn tell_end(place: &Place, name: &str) -> String {
    let end = place.end(name);
    end.check(place.bars());
    let verified = place.verify(name);
    assert_eq!(verified["differences"], 0, "{verified}");
    println!(
        "{}",
        json!({
            "run": name, "ledger": end.ledger, "tables": end.tables, "gaps": end.gaps, "verdicts": end.verdicts,
            "verified": verified,
        })
    );
    end.ledger
}
