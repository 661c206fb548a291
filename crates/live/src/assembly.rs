//! From the short bars of a feed to the bars that a session runs on, closed by the clock.

use std::collections::BTreeMap;

use walkforward_core::{
    AbsentMeans, AggregateError, AggregateRule, Aggregator, Bar, LongerBar, MarketCalendar, Timeframe,
    Timestamp, Window,
};

use serde::{Deserialize, Serialize};

use crate::LiveError;

/// Most missing intervals in a row: ten weeks of minutes. A longer hole is another session.
pub const MAX_HOLE_BARS: u64 = 100_000;
/// Short bars that one question asks for at most; the others are asked for when these have closed. It leaves room for
/// those that the feed gives meanwhile.
const MAX_ASKED_BARS: i64 = 10_080;
/// Most short bars that wait for the end of their interval: two weeks of minutes. A feed that gives more bars of one
/// interval than fit in it does not exist, so only bars of a long outage come near.
pub const MAX_WAITING_BARS: usize = 20_160;

/// Time between two questions for the same bars while nothing shows that the clock is right; milliseconds.
const ASK_AGAIN_MS: i64 = 60_000;

/// When bars close. Times are of the clock that `now` comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClosingRules {
    /// How long after its end an interval closes, so that its last short bar can arrive; milliseconds.
    pub grace_ms: i64,
    /// How long short bars that are missing are asked for before the interval closes without them; milliseconds.
    pub patience_ms: i64,
    /// A short bar that ends by so much after now comes from a clock that is wrong; milliseconds.
    pub skew_ms: i64,
    /// What it means that a short bar is not there although it was asked for.
    pub absent: AbsentMeans,
}

impl Default for ClosingRules {
    fn default() -> Self {
        Self { grace_ms: 5_000, patience_ms: 50_000, skew_ms: 60_000, absent: AbsentMeans::Missing }
    }
}

/// A bar that has closed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedBar {
    /// The bar; a flat one of the previous close where there is none.
    pub bar: Bar,
    /// Whether the feed has it.
    pub present: bool,
    /// Short bars that it was made of.
    pub base_bars: usize,
    /// Short bars that its interval should have.
    pub expected_base_bars: usize,
}

impl ClosedBar {
    /// A bar that an earlier process has closed.
    pub(crate) fn of_history(bar: Bar) -> Self {
        Self { bar, present: true, base_bars: 0, expected_base_bars: 0 }
    }
}

/// What became of a short bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Taken {
    /// It waits for the end of its interval.
    New,
    /// It is the one that was there already.
    Duplicate,
    /// It replaces the one that was there.
    Revised,
    /// Its interval has closed: it changes nothing any more.
    Late,
    /// It does not stand on the clock of its timeframe.
    OffGrid,
    /// It has not ended yet: the clock here or there is wrong.
    Future,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Due {
    /// Nothing before [`Assembly::deadline`].
    Nothing,
    /// Ask for the short bars of this span, and give them to [`Assembly::fetched`].
    Fetch(Window),
    /// This bar has closed.
    Close(ClosedBar),
}

/// Collects short bars and closes intervals: each when its time is over and its short bars are there, or have been
/// asked for. What an interval comes to is [`Aggregator`]'s to say, as for files.
#[derive(Debug, Clone)]
pub struct Assembly {
    base: Timeframe,
    to: Timeframe,
    rules: ClosingRules,
    aggregator: Aggregator,
    /// Start of the interval that closes next.
    next: Timestamp,
    waiting: BTreeMap<Timestamp, Bar>,
    /// Close of the last bar that was there.
    last_close: Option<f64>,
    /// Whatever is missing before this was asked for.
    answered_until: Timestamp,
    asked: Option<Asked>,
    /// When the last question was asked.
    last_asked: Option<Timestamp>,
}

/// A question that has no answer yet.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Timestamp,
    until: Timestamp,
}

impl Assembly {
    /// An assembly whose first bar is the first that starts at or after `start`; `last_close` is the price before it.
    ///
    /// # Errors
    /// `to` is no multiple of `base`.
    pub fn new(
        base: Timeframe,
        to: Timeframe,
        rules: ClosingRules,
        start: Timestamp,
        last_close: Option<f64>,
    ) -> Result<Self, AggregateError> {
        let floor = to.floor(start);
        let next = if floor == start { start } else { floor.plus_millis(to.millis()) };
        let rule = AggregateRule { calendar: MarketCalendar::default(), absent: rules.absent };
        let aggregator = Aggregator::new(base, to, rule)?;
        Ok(Self {
            base,
            to,
            rules,
            aggregator,
            next,
            waiting: BTreeMap::new(),
            last_close,
            answered_until: next,
            asked: None,
            last_asked: None,
        })
    }

    /// Start of the interval that closes next.
    pub fn next_open(&self) -> Timestamp {
        self.next
    }

    /// Length of the bars that come out.
    pub fn timeframe(&self) -> Timeframe {
        self.to
    }

    /// Takes a short bar that the feed, or an answer, has.
    pub fn push(&mut self, bar: Bar, now: Timestamp) -> Taken {
        let open_time = bar.open_time();
        if self.base.floor(open_time) != open_time {
            return Taken::OffGrid;
        }
        if open_time < self.next {
            return Taken::Late;
        }
        let is_early = bar.close_time(self.base) > now.plus_millis(self.rules.skew_ms);
        if is_early || self.waiting.len() >= MAX_WAITING_BARS {
            return Taken::Future;
        }
        match self.waiting.insert(open_time, bar) {
            None => Taken::New,
            Some(before) if before == bar => Taken::Duplicate,
            Some(_) => Taken::Revised,
        }
    }

    /// Takes the answer to [`Due::Fetch`]: what there is of `span`; nothing says that there is none. A failure is no
    /// answer: the interval closes without it when patience ends.
    pub fn fetched(&mut self, span: Window, bars: &[Bar], now: Timestamp) {
        for bar in bars.iter().filter(|bar| span.contains(bar.open_time())) {
            // What the feed gave meanwhile is at least as new.
            if !self.waiting.contains_key(&bar.open_time()) {
                self.push(*bar, now);
            }
        }
        // Of a question that was given up, or asked by a clock that was wrong, nothing but its bars counts.
        if self.asked.take().is_some() {
            self.answered_until = self.answered_until.max(span.end());
        }
    }

    /// What is to be done at `now`. Call it again until it says nothing.
    ///
    /// # Errors
    /// More than [`MAX_HOLE_BARS`] intervals have passed without a bar.
    pub fn due(&mut self, now: Timestamp) -> Result<Due, LiveError> {
        self.due_until(now, None)
    }

    /// As [`due`](Self::due), by a clock that is believed until `credible` only: intervals that end later wait, and what is
    /// missing is asked for once a minute. So a clock that jumps ahead closes no more than that, and bars go on as soon
    /// as it is set right, or bars have come so far.
    ///
    /// # Errors
    /// As [`due`](Self::due), of intervals that end by then.
    pub fn due_until(&mut self, now: Timestamp, credible: Option<Timestamp>) -> Result<Due, LiveError> {
        self.set_back(now);
        loop {
            let end = self.end();
            if now < end.plus_millis(self.rules.grace_ms) {
                return Ok(Due::Nothing);
            }
            if let Some(hole) = self.first_hole(end).filter(|_| self.answered_until < end) {
                match self.asked {
                    None => return self.ask(hole, now, credible),
                    Some(asked) if now < asked.at.plus_millis(self.rules.patience_ms) => {
                        return Ok(Due::Nothing);
                    }
                    // No answer in time. Whatever comes later is late.
                    Some(asked) => self.give_up(asked),
                }
            }
            if credible.is_some_and(|credible| end > credible) {
                return self.wait(end, now, credible);
            }
            if let Some(closed) = self.close(end)? {
                return Ok(Due::Close(closed));
            }
        }
    }

    /// Whether the interval that closes next is over at `now`, and waits for bars because it ends after `credible`.
    pub fn waits(&self, now: Timestamp, credible: Option<Timestamp>) -> bool {
        let end = self.end();
        now >= end.plus_millis(self.rules.grace_ms) && credible.is_some_and(|credible| end > credible)
    }

    /// A clock that was set back: an answer about a time that had not come says nothing.
    fn set_back(&mut self, now: Timestamp) {
        if self.last_asked.is_some_and(|at| at > now) {
            (self.last_asked, self.asked, self.answered_until) = (None, None, self.next);
        }
    }

    /// Asks once a minute for what an interval misses that may not close.
    fn wait(
        &mut self,
        end: Timestamp,
        now: Timestamp,
        credible: Option<Timestamp>,
    ) -> Result<Due, LiveError> {
        let is_due = self.last_asked.is_none_or(|at| now >= at.plus_millis(ASK_AGAIN_MS));
        let is_open = self.asked.is_some_and(|asked| now < asked.at.plus_millis(self.rules.patience_ms));
        match self.first_hole(end).filter(|_| is_due && !is_open) {
            Some(hole) => self.ask(hole, now, credible),
            None => Ok(Due::Nothing),
        }
    }

    /// When [`due`](Self::due) may have something to say without another bar or answer.
    pub fn deadline(&self) -> Timestamp {
        self.deadline_until(None)
    }

    /// When [`due_until`](Self::due_until) may have something to say without another bar or answer.
    pub fn deadline_until(&self, credible: Option<Timestamp>) -> Timestamp {
        let grace = self.end().plus_millis(self.rules.grace_ms);
        let patience = self.asked.map(|asked| asked.at.plus_millis(self.rules.patience_ms));
        let waits = credible.is_some_and(|credible| self.end() > credible);
        let again = self.last_asked.filter(|_| waits).map(|at| at.plus_millis(ASK_AGAIN_MS));
        [patience, again].into_iter().flatten().fold(grace, Timestamp::max)
    }

    fn end(&self) -> Timestamp {
        self.next.plus_millis(self.to.millis())
    }

    fn first_hole(&self, end: Timestamp) -> Option<Timestamp> {
        let step = self.base.millis();
        let starts = std::iter::successors(Some(self.next), |start| Some(start.plus_millis(step)));
        starts.take_while(|start| *start < end).find(|start| !self.waiting.contains_key(start))
    }

    /// Asks at once for all that is missing in the intervals that are over.
    fn ask(
        &mut self,
        hole: Timestamp,
        now: Timestamp,
        credible: Option<Timestamp>,
    ) -> Result<Due, LiveError> {
        let until = self.to.floor(now.plus_millis(-self.rules.grace_ms)).max(self.end());
        let closing = credible.map_or(until, |credible| until.min(credible)).max(self.next);
        let missing = closing.millis_since(self.next) / self.to.millis();
        if missing.unsigned_abs() > MAX_HOLE_BARS {
            let last = self.next.plus_millis(-self.to.millis());
            return Err(LiveError::Hole { last, next: closing, missing: missing.unsigned_abs() });
        }
        let longest = (MAX_ASKED_BARS * self.base.millis()).max(self.to.millis());
        let until = until.min(self.to.floor(self.next.plus_millis(longest)));
        let Ok(span) = Window::new(hole, until) else { return Ok(Due::Nothing) };
        self.asked = Some(Asked { at: now, until });
        self.last_asked = Some(now);
        Ok(Due::Fetch(span))
    }

    fn give_up(&mut self, asked: Asked) {
        self.answered_until = asked.until;
        self.asked = None;
    }

    /// Ends the interval; none where nothing is known of the price yet.
    fn close(&mut self, end: Timestamp) -> Result<Option<ClosedBar>, LiveError> {
        let start = std::mem::replace(&mut self.next, end);
        let later = self.waiting.split_off(&end);
        let bars = std::mem::replace(&mut self.waiting, later);
        let mut longer: Option<LongerBar> = None;
        for bar in bars.into_values() {
            let [earlier, own] = self.aggregator.push(bar)?;
            longer = own.or(earlier).or(longer);
        }
        let longer = longer.or_else(|| self.aggregator.close_at(end));
        let longer = longer.filter(|longer| longer.bar.open_time() == start);
        Ok(self.closed(start, end, longer))
    }

    fn closed(&mut self, start: Timestamp, end: Timestamp, longer: Option<LongerBar>) -> Option<ClosedBar> {
        let expected = (end.millis_since(start) / self.base.millis()).unsigned_abs();
        let expected_base_bars = usize::try_from(expected).unwrap_or(usize::MAX);
        let base_bars = longer.map_or(0, |longer| longer.base_bars);
        if let Some(longer) = longer.filter(|longer| longer.is_whole) {
            self.last_close = Some(longer.bar.close());
            return Some(ClosedBar { bar: longer.bar, present: true, base_bars, expected_base_bars });
        }
        let bar = Bar::flat(start, self.last_close?).ok()?;
        Some(ClosedBar { bar, present: false, base_bars, expected_base_bars })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use walkforward_core::{BarSeries, aggregate};

    use super::*;

    const MINUTE_MS: i64 = 60_000;
    const INSTANT: ClosingRules =
        ClosingRules { grace_ms: 5_000, patience_ms: 50_000, skew_ms: 60_000, absent: AbsentMeans::Missing };

    fn at(minute: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(minute * MINUTE_MS)
    }

    fn bar(minute: i64) -> Bar {
        let price = 100.0 + (minute * 7 % 13) as f64;
        Bar::new(at(minute), price, price + 1.0, price - 1.0, price + 0.5, 2.0).unwrap()
    }

    fn quarter_hours() -> Assembly {
        let to = Timeframe::from_minutes(15).unwrap();
        Assembly::new(Timeframe::MINUTE, to, INSTANT, at(0), Some(99.0)).unwrap()
    }

    fn closed(due: Due) -> ClosedBar {
        let Due::Close(closed) = due else { panic!("{due:?}") };
        closed
    }

    #[test]
    fn an_interval_closes_by_the_clock_and_not_by_the_next_bar() {
        let mut assembly = quarter_hours();
        for minute in 0..15 {
            assert_eq!(assembly.push(bar(minute), at(minute + 1)), Taken::New);
        }
        assert_eq!(assembly.due(at(15).plus_millis(4_999)).unwrap(), Due::Nothing);
        assert_eq!(assembly.deadline(), at(15).plus_millis(5_000));
        let closed = closed(assembly.due(at(15).plus_millis(5_000)).unwrap());
        assert_eq!((closed.bar.open_time(), closed.present, closed.base_bars), (at(0), true, 15));
        assert_eq!(assembly.due(at(15).plus_millis(5_000)).unwrap(), Due::Nothing);
        assert_eq!(assembly.push(bar(3), at(16)), Taken::Late);
    }

    #[test]
    fn a_hole_is_asked_for_before_its_interval_closes() {
        let mut assembly = quarter_hours();
        for minute in (0..15).filter(|minute| *minute != 14 && *minute != 6) {
            assembly.push(bar(minute), at(minute + 1));
        }
        let now = at(15).plus_millis(5_000);
        let asked = Window::new(at(6), at(15)).unwrap();
        assert_eq!(assembly.due(now).unwrap(), Due::Fetch(asked));
        assert_eq!(assembly.due(now).unwrap(), Due::Nothing, "one question at a time");
        assembly.fetched(asked, &[bar(6), bar(14), bar(2)], now);
        let closed = closed(assembly.due(now).unwrap());
        assert_eq!((closed.base_bars, closed.bar.close()), (15, bar(14).close()));
    }

    #[test]
    fn without_an_answer_it_closes_when_patience_ends() {
        let mut assembly = quarter_hours();
        for minute in 0..10 {
            assembly.push(bar(minute), at(minute + 1));
        }
        let now = at(15).plus_millis(5_000);
        assert!(matches!(assembly.due(now).unwrap(), Due::Fetch(_)));
        assert_eq!(assembly.deadline(), now.plus_millis(50_000));
        assert_eq!(assembly.due(now.plus_millis(49_999)).unwrap(), Due::Nothing);
        let closed = closed(assembly.due(now.plus_millis(50_000)).unwrap());
        assert_eq!((closed.present, closed.base_bars, closed.expected_base_bars), (true, 10, 15));
    }

    #[test]
    fn an_outage_is_asked_for_at_once_and_its_bars_come_one_by_one() {
        let mut assembly = quarter_hours();
        let now = at(60).plus_millis(9_000);
        let span = Window::new(at(0), at(60)).unwrap();
        assert_eq!(assembly.due(now).unwrap(), Due::Fetch(span));
        let bars: Vec<Bar> = (0..60).filter(|minute| !(15..30).contains(minute)).map(bar).collect();
        assembly.fetched(span, &bars, now);
        let present: Vec<bool> = (0..4).map(|_| closed(assembly.due(now).unwrap()).present).collect();
        assert_eq!(present, [true, false, true, true]);
        assert_eq!(assembly.due(now).unwrap(), Due::Nothing);
        assert_eq!(assembly.next_open(), at(60));
    }

    #[test]
    fn a_clock_that_is_far_ahead_closes_nothing_that_no_bar_has_shown_to_be_over() {
        let mut assembly = quarter_hours();
        let credible = Some(at(30));
        let wrong = at(100_000_000);
        let Due::Fetch(span) = assembly.due_until(wrong, credible).unwrap() else { panic!("asks") };
        assembly.fetched(span, &[], wrong);
        for open_time in [at(0), at(15)] {
            assert_eq!(closed(assembly.due_until(wrong, credible).unwrap()).bar.open_time(), open_time);
        }
        for _ in 0..3 {
            assert_eq!(assembly.due_until(wrong, credible).unwrap(), Due::Nothing);
        }
        assert!(assembly.waits(wrong, credible));
        let again = wrong.plus_millis(60_000);
        assert_eq!(assembly.deadline_until(credible), again);
        let Due::Fetch(span) = assembly.due_until(again, credible).unwrap() else { panic!("asks again") };
        assert_eq!(span.start(), at(30));
        // The clock is set right, and the answer comes late.
        for minute in (30..45).filter(|minute| *minute != 40) {
            assembly.push(bar(minute), at(minute + 1));
        }
        assert_eq!(assembly.due_until(at(44), Some(at(105))).unwrap(), Due::Nothing);
        assembly.fetched(span, &[], at(44));
        let now = at(45).plus_millis(5_000);
        let asked = Window::new(at(40), at(45)).unwrap();
        assert_eq!(
            assembly.due_until(now, Some(at(105))).unwrap(),
            Due::Fetch(asked),
            "it is asked for again"
        );
        assembly.fetched(asked, &[bar(40)], now);
        let closed = closed(assembly.due_until(now, Some(at(105))).unwrap());
        assert_eq!((closed.bar.open_time(), closed.base_bars), (at(30), 15));
    }

    #[test]
    fn bars_of_a_wrong_clock_are_left_out() {
        let mut assembly = quarter_hours();
        assert_eq!(assembly.push(bar(30), at(20)), Taken::Future);
        let odd = Bar::flat(at(3).plus_millis(1), 5.0).unwrap();
        assert_eq!(assembly.push(odd, at(20)), Taken::OffGrid);
        assert_eq!(assembly.push(bar(3), at(20)), Taken::New);
        assert_eq!(assembly.push(bar(3), at(20)), Taken::Duplicate);
        assert_eq!(assembly.push(Bar::flat(at(3), 5.0).unwrap(), at(20)), Taken::Revised);
    }

    #[test]
    fn before_the_first_price_there_is_no_bar() {
        let to = Timeframe::from_minutes(15).unwrap();
        let mut assembly = Assembly::new(Timeframe::MINUTE, to, INSTANT, at(1), None).unwrap();
        assert_eq!(assembly.next_open(), at(15));
        let span = Window::new(at(15), at(45)).unwrap();
        let now = at(46);
        assert_eq!(assembly.due(now).unwrap(), Due::Fetch(span));
        let bars: Vec<Bar> = (30..45).map(bar).collect();
        assembly.fetched(span, &bars, now);
        assert_eq!(closed(assembly.due(now).unwrap()).bar.open_time(), at(30));
    }

    /// A market whose clock is wrong by `wrong` minutes for some minutes, and that loses some of them on the way.
    struct WrongClock {
        assembly: Assembly,
        /// The minute that ends next.
        next: i64,
        newest_end: Timestamp,
        closed: Vec<ClosedBar>,
    }

    impl WrongClock {
        fn pass(&mut self, wrong: i64, is_lost: bool) {
            self.next += 1;
            let now = at(self.next + wrong);
            if !is_lost {
                self.take(self.next - 1, now);
            }
            self.close(now.plus_millis(5_000));
        }

        fn take(&mut self, minute: i64, now: Timestamp) {
            if !matches!(self.assembly.push(bar(minute), now), Taken::OffGrid | Taken::Future) {
                self.newest_end = self.newest_end.max(at(minute + 1));
            }
        }

        fn close(&mut self, now: Timestamp) {
            loop {
                let credible = Some(self.newest_end.plus_millis(60 * MINUTE_MS));
                match self.assembly.due_until(now, credible).unwrap() {
                    Due::Nothing => return assert!(self.assembly.deadline_until(credible) > now),
                    Due::Close(closed) => self.closed.push(closed),
                    Due::Fetch(span) => {
                        let known: Vec<Bar> =
                            (0..self.next).map(bar).filter(|bar| span.contains(bar.open_time())).collect();
                        let newest = known.last().map(|bar| bar.close_time(Timeframe::MINUTE));
                        self.newest_end = self.newest_end.max(newest.unwrap_or(self.newest_end));
                        self.assembly.fetched(span, &known, now);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_bars_are_those_of_a_file(
            order in Just((0i64..60).collect::<Vec<_>>()).prop_shuffle(),
            absent in proptest::collection::btree_set(1i64..60, 0..30),
            again in proptest::collection::vec(0i64..60, 0..20),
        ) {
            let mut assembly = quarter_hours();
            let now = at(60).plus_millis(5_000);
            for minute in order.iter().chain(&again).filter(|minute| !absent.contains(minute)) {
                assembly.push(bar(*minute), now);
            }
            let mut bars = Vec::new();
            loop {
                match assembly.due(now).unwrap() {
                    Due::Nothing => break,
                    Due::Fetch(span) => assembly.fetched(span, &[], now),
                    Due::Close(closed) => bars.push(closed),
                }
            }
            let mut series = BarSeries::new(Timeframe::MINUTE);
            for minute in (0..60).filter(|minute| !absent.contains(minute)) {
                series.push(bar(minute)).unwrap();
            }
            let to = Timeframe::from_minutes(15).unwrap();
            let expected = aggregate(&series, to, &AggregateRule::default(), at(60)).unwrap();
            let present: Vec<Bar> = bars.iter().filter(|closed| closed.present).map(|closed| closed.bar).collect();
            prop_assert_eq!(present, expected.bars.iter().collect::<Vec<_>>());
            prop_assert_eq!(bars.len(), 4);
        }

        #[test]
        fn however_the_clock_jumps_each_bar_closes_once_and_a_clock_that_is_right_again_closes_whole_ones(
            jumps in proptest::collection::vec((-3_000i64..3_000_000, 1usize..40), 0..6),
            lost in proptest::collection::vec(any::<bool>(), 40),
        ) {
            let mut market =
                WrongClock { assembly: quarter_hours(), next: 0, newest_end: at(0), closed: Vec::new() };
            let mut pass = |wrong: i64, minutes: usize| {
                (0..minutes).for_each(|minute| market.pass(wrong, lost[minute % lost.len()]));
            };
            pass(0, 50);
            for (wrong, minutes) in jumps {
                pass(wrong, minutes);
                pass(0, 7);
            }
            // An hour that was closed ahead of its time, the rest of a bar, and one that is whole.
            pass(0, 60 + 15 + 15 + 1);
            let last = market.closed.last().unwrap();
            prop_assert_eq!((last.present, last.base_bars), (true, 15));
            prop_assert!(at(market.next).millis_since(last.bar.open_time()) <= 31 * MINUTE_MS);
            for (index, closed) in market.closed.iter().enumerate() {
                prop_assert_eq!(closed.bar.open_time(), at(15 * index as i64));
            }
        }
    }
}
