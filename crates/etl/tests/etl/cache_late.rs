//! The bar cache before a source that is late, silent for a time, or changes what it has given.

use std::collections::BTreeMap;

use proptest::prelude::*;
use walkforward_core::{BarRequest, BarSeries, DataSource, SourceBars, Timeframe};
use walkforward_etl::Cached;

use crate::cache::{World, at, bar, futures, key, price, request, series, starts, window};

/// The answer to a request for `bars` bars before minute `as_of`.
fn ask_as_of(world: &World, bars: usize, as_of: i64) -> SourceBars {
    let request = BarRequest { timeframe: Some(Timeframe::MINUTE), as_of: Some(at(as_of)), ..request(bars) };
    futures(world.cached().bars(&request)).unwrap()
}

/// `minutes` at their prices, those of `changed` at others.
fn revised(minutes: impl IntoIterator<Item = i64>, changed: &BTreeMap<i64, f64>) -> BarSeries {
    let mut series = BarSeries::new(Timeframe::MINUTE);
    for minute in minutes {
        let price = changed.get(&minute).copied().unwrap_or(price(minute));
        series.push(bar(minute, price)).unwrap();
    }
    series
}

#[test]
fn bars_that_a_silent_service_gives_later_are_found() {
    let world = World::new(0..200, 200);
    world.ask(100).unwrap();
    world.set_now(500);
    assert_eq!(world.ask(400).unwrap().bars, series(100..200));
    assert_eq!(world.asked(), [(100, 200), (195, 500)]);
    assert_eq!(world.cache().summary(&key()).unwrap().covered, [window(100, 200)]);
    world.set_bars(series(0..1_000));
    assert_eq!(world.ask(400).unwrap().bars, series(100..500));
    assert_eq!(world.asked(), [(195, 500)], "one request");
    world.ask(400).unwrap();
    assert_eq!(world.asked(), []);
}

#[test]
fn a_hole_between_given_bars_stays_known() {
    let world = World::new((0..150).chain(190..195), 200);
    world.ask(100).unwrap();
    assert_eq!(world.cache().summary(&key()).unwrap().covered, [window(100, 195)]);
    world.asked();
    world.ask(100).unwrap();
    assert_eq!(world.asked(), [(190, 200)], "the part after the last bar alone, with the overlap");
}

#[test]
fn a_clock_that_was_ahead_once_stops_no_refresh() {
    let world = World::new(0..200, 5_000);
    world.ask(4_900).unwrap();
    world.set_bars(series(0..260));
    world.set_now(260);
    assert_eq!(world.ask(100).unwrap().bars, series(160..260));
    let known = world.cache().bars_as_known_at(&key(), window(0, 400), at(260)).unwrap();
    assert_eq!(known, series(200..260), "what was learnt since has its own time");
    let changed = BTreeMap::from([(199, 7.0), (259, 8.0)]);
    world.set_bars(revised(0..270, &changed));
    world.set_now(270);
    let answer = world.ask(200).unwrap();
    assert_eq!(answer.bars.closes()[199 - 70 + 60], 8.5);
    assert_eq!(answer.revised, [at(259)]);
}

#[test]
fn a_request_for_a_past_time_keeps_the_values_that_were_known_then() {
    let world = World::new(0..200, 200);
    let before = world.ask(100).unwrap();
    world.set_bars(revised(0..400, &BTreeMap::from([(197, 7_777.0)])));
    world.set_now(260);
    assert_eq!(world.ask(100).unwrap().revised, [at(197)]);
    let again = ask_as_of(&world, 100, 200);
    assert_eq!((&again.bars, again.revised.len()), (&before.bars, 0));
    assert_eq!(ask_as_of(&world, 100, 260).revised, [at(197)]);
}

#[test]
fn a_bar_that_was_learnt_after_a_past_time_has_its_first_value() {
    let world = World::new(0..400, 260);
    world.ask(100).unwrap();
    world.set_bars(revised(0..400, &BTreeMap::from([(258, 7_777.0)])));
    world.set_now(300);
    world.ask(100).unwrap();
    let past = ask_as_of(&world, 50, 259);
    assert_eq!((&past.bars, past.revised.len()), (&series(209..259), 0));
    assert_eq!(world.ask(100).unwrap().revised, [at(258)]);
}

#[test]
fn an_overlap_of_none_is_two_bars() {
    let world = World::new(0..400, 200);
    let ask = || {
        let cached = Cached::new(&world.source, "test", world.cache(), world.clock.clone());
        let request = BarRequest { timeframe: Some(Timeframe::MINUTE), ..request(100) };
        futures(cached.with_overlap_bars(0).bars(&request)).unwrap()
    };
    ask();
    world.set_now(210);
    assert_eq!(ask().bars, series(110..210));
    assert_eq!(world.asked(), [(100, 200), (198, 210)]);
}

#[test]
fn a_damaged_segment_that_the_request_does_not_need_stops_no_refresh() {
    let world = World::new(0..40_000, 3_000);
    world.ask(3_000).unwrap();
    let old = world.files(".parquet")[0].clone();
    let mut bytes = std::fs::read(&old).unwrap();
    bytes[1_000] ^= 1;
    std::fs::write(&old, bytes).unwrap();
    // So far from it that it is not read, and so many bars that it would be merged.
    world.set_now(30_000);
    assert_eq!(world.ask(2_000).unwrap().bars, series(28_000..30_000));
    assert_eq!(world.files(".damaged-1").len(), 1);
    assert_eq!(world.cache().summary(&key()).unwrap().covered, [window(28_000, 30_000)]);
    world.set_now(3_000);
    assert_eq!(world.ask(3_000).unwrap().bars, series(0..3_000), "what is lost is asked for again");
    assert!(world.cache().verify(&key()).unwrap().is_empty());
}

#[test]
fn a_segment_that_no_manifest_explains_is_kept() {
    let world = World::new(0..40_000, 3_000);
    world.ask(3_000).unwrap();
    let manifest = world.files("manifest.json")[0].clone();
    let backup = std::fs::read(&manifest).unwrap();
    world.set_now(3_060);
    world.ask(100).unwrap();
    let newest = world.files(".parquet")[1].clone();
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&manifest, backup).unwrap();
    world.set_now(3_070);
    assert_eq!(world.ask(100).unwrap().bars, series(2_970..3_070));
    let kept = world.files(".unlisted-1");
    assert_eq!(kept.len(), 1, "{:?}", world.files(""));
    assert_eq!(std::fs::read(&kept[0]).unwrap(), bytes);
    assert_eq!(world.files(".parquet").len(), 2);
}

/// Bars in the window of an answer: those that were asked for, without the one before them.
fn values(answer: &SourceBars, from: i64) -> BTreeMap<i64, f64> {
    let given = starts(answer).into_iter().zip(answer.bars.opens().iter().copied());
    given.filter(|&(minute, _)| minute >= from).collect()
}

/// One time at which the source has said more and is asked again.
#[derive(Debug, Clone)]
struct Step {
    passed: i64,
    /// Minutes by which the source is late.
    lag: i64,
    /// Bars before its newest one, and their new price.
    changes: BTreeMap<i64, f64>,
    bars: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let changes = prop::collection::btree_map(1_i64..8, 1.0_f64..9.0, 0..4);
    (1_i64..60, prop_oneof![Just(0_i64), 0_i64..90], changes, 1_usize..150)
        .prop_map(|(passed, lag, changes, bars)| Step { passed, lag, changes, bars })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_late_source_that_revises_loses_no_bar_and_changes_no_past_answer(
        present in prop::collection::btree_set(0_i64..600, 300..500),
        steps in prop::collection::vec(step(), 1..8),
    ) {
        let (mut now, mut end) = (150, 150);
        let world = World::new(present.iter().copied().filter(|&minute| minute < end), now);
        let mut changed = BTreeMap::new();
        let mut given: Vec<(i64, usize, BTreeMap<i64, f64>)> = Vec::new();
        for step in steps {
            now += step.passed;
            end = end.max(now - step.lag);
            let visible: Vec<i64> = present.iter().copied().filter(|&minute| minute < end).collect();
            changed.extend(step.changes.iter().map(|(before, &price)| (end - before, price)));
            world.set_bars(revised(visible.iter().copied(), &changed));
            world.set_now(now);
            let from = now - step.bars as i64;
            let answer = world.ask(step.bars);
            let expected: Vec<i64> = visible.into_iter().filter(|&minute| minute >= from).collect();
            let Ok(answer) = answer else {
                prop_assert!(expected.is_empty());
                continue;
            };
            let got = values(&answer, from);
            prop_assert_eq!(got.keys().copied().collect::<Vec<_>>(), expected, "no bar of the source is lost");
            given.push((now, step.bars, got));
            for (as_of, bars, before) in &mut given {
                let again = values(&ask_as_of(&world, *bars, *as_of), *as_of - *bars as i64);
                for (minute, price) in before.iter() {
                    prop_assert_eq!(again.get(minute), Some(price), "minute {} as of {}", minute, as_of);
                }
                *before = again;
            }
        }
    }
}
