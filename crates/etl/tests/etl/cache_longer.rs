//! Timeframes that are made of shorter bars, behind the cache.

use std::collections::BTreeSet;

use proptest::prelude::*;
use walkforward_core::{
    AbsentMeans, BarRequest, BarSeries, Clock, DataSource, MarketCalendar, SessionCalendar, SourceBars,
    SourceError, Timeframe,
};
use walkforward_etl::{Longer, ReplaySource};

use crate::cache::{World, at, bar, futures, request, series, window};

fn timeframe(text: &str) -> Timeframe {
    text.parse().unwrap()
}

/// Asks for bars of `text` up to minute `as_of` that are made of cached minutes.
fn ask(
    world: &World,
    text: &str,
    bars: usize,
    as_of: Option<i64>,
    calendar: MarketCalendar,
) -> Result<SourceBars, SourceError> {
    let longer = Longer::new(world.cached(), world.clock.clone(), |_, _| Timeframe::MINUTE);
    let (timeframe, as_of) = (Some(timeframe(text)), as_of.map(at));
    futures(longer.bars(&BarRequest { timeframe, as_of, calendar, ..request(bars) }))
}

fn starts(answer: &SourceBars) -> Vec<i64> {
    answer.bars.open_times().iter().map(|time| time.millis_since(at(0)) / 60_000).collect()
}

#[test]
fn longer_bars_are_made_of_cached_ones_and_counted() {
    let world = World::new((0..20_000).filter(|minute| minute % 45 != 7), 19_010);
    let continuous = MarketCalendar::Continuous;
    let answer = ask(&world, "45m", 10, None, continuous.clone()).unwrap();
    let last = 19_010 / 45 * 45;
    assert_eq!(starts(&answer), (0..10).map(|bar| last - 450 + bar * 45).collect::<Vec<_>>());
    let base = answer.base.unwrap();
    assert_eq!(base.timeframe, Timeframe::MINUTE);
    assert_eq!(base.present_within(window(last - 450, last)), 440);
    let asked = world.asked();
    assert_eq!(asked, [(last - 70 * 45, 19_010)], "whole bars, some before the first one, up to now");
    ask(&world, "45m", 10, None, continuous).unwrap();
    assert_eq!(world.asked(), [], "the minutes are kept");
}

#[test]
fn a_timeframe_that_the_source_has_is_asked_for_as_it_is() {
    let world = World::new(0..400, 200);
    let answer = ask(&world, "1m", 10, None, MarketCalendar::Continuous).unwrap();
    assert_eq!((&answer.bars, &answer.base), (&series(190..200), &None));
    assert_eq!(world.asked(), [(190, 200)]);
}

#[test]
fn a_bar_that_has_not_closed_by_the_clock_is_not_made() {
    let world = World::new(0..5_000, 4_790);
    let answer = ask(&world, "1h", 3, Some(5_000), MarketCalendar::Continuous).unwrap();
    assert_eq!(starts(&answer), [4_560, 4_620, 4_680]);
}

#[test]
fn a_changed_shorter_bar_makes_the_longer_one_revised() {
    let world = World::new(0..5_000, 4_798);
    ask(&world, "1h", 3, None, MarketCalendar::Continuous).unwrap();
    let mut changed = series(0..4_797);
    changed.push(bar(4_797, 9.0)).unwrap();
    changed.push(bar(4_798, 9.0)).unwrap();
    changed.push(bar(4_799, 9.0)).unwrap();
    world.set_bars(changed);
    world.set_now(4_800);
    let answer = ask(&world, "1h", 3, None, MarketCalendar::Continuous).unwrap();
    assert_eq!((starts(&answer), &answer.revised), (vec![4_620, 4_680, 4_740], &vec![at(4_740)]));
}

#[test]
fn what_can_not_be_made_is_refused_before_anything_is_asked_for() {
    let world = World::new(0..400, 200);
    let longer = Longer::new(world.cached(), world.clock.clone(), |_, _| timeframe("4h"));
    let hours = BarRequest { timeframe: Some(timeframe("6h")), ..request(5) };
    let error = futures(longer.bars(&hours)).unwrap_err().to_string();
    assert!(error.contains("BTC/USD: bars of 4h can't be aggregated to 6h"), "{error}");
    assert_eq!(world.asked(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn longer_bars_behind_the_cache_are_those_of_the_whole_series(
        absent in prop::collection::btree_set(0_i64..9_000, 0..3_000),
        text in prop::sample::select(vec!["7m", "45m", "1h", "90m", "5h"]),
        asks in prop::collection::vec((8_000_i64..9_000, 1_usize..40), 1..4),
        has_sessions in any::<bool>(),
    ) {
        let present: BTreeSet<i64> = (0..9_000).filter(|minute| !absent.contains(minute)).collect();
        let whole: BarSeries = series(present.iter().copied());
        let days = (0..7).map(|day| window(day * 1_440 + 810, day * 1_440 + 1_200)).collect();
        let calendar = match has_sessions {
            true => MarketCalendar::Sessions(SessionCalendar::new(days).unwrap()),
            false => MarketCalendar::Continuous,
        };
        let world = World::new(present.iter().copied(), 8_000);
        for (now, bars) in asks {
            world.set_now(now);
            let made = ask(&world, text, bars, None, calendar.clone()).unwrap();
            let whole = ReplaySource::new(whole.clone(), AbsentMeans::NoTrade, world.clock.now());
            let asked = BarRequest {
                timeframe: Some(timeframe(text)),
                calendar: calendar.clone(),
                ..request(bars)
            };
            let expected = whole.read(&asked).unwrap();
            prop_assert_eq!(&made.bars, &expected.bars);
            let counts = |answer: &SourceBars| {
                let first = answer.bars.first_open_time().unwrap();
                let present = answer.base.clone().unwrap().present.into_iter();
                present.filter(|&(start, _)| start >= first).collect::<Vec<_>>()
            };
            prop_assert_eq!(counts(&made), counts(&expected));
        }
    }
}
