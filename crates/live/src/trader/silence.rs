//! For how long no bar has come, whatever happens to the time of day.

use std::time::Duration;

use walkforward_core::{Timeframe, Timestamp};

use crate::Behaviour;

/// Intervals of the feed that a jump of time covers at least, and that the feed has to answer in behind one before a
/// position is closed for its silence.
const ANSWER_BARS: i64 = 2;

/// What the feed has said in this process.
///
/// A silence is counted by the monotonic time since a bar has come, because the time of day may be set. Bars that come
/// long after their end are no better than none, so the age of the newest one by the time of day counts too: but not
/// while the process is younger than a silence may be long, because what was missed while nobody ran comes late.
pub(super) struct Silence {
    base_ms: i64,
    begun: Duration,
    /// When the last bar came that is newer than those before it, or else the begin.
    heard: Duration,
    /// End of the newest bar.
    newest_end: Option<Timestamp>,
    /// How long the silence was at the last look, milliseconds.
    last_ms: i64,
    /// Until when the feed may answer behind a jump of time.
    may_answer_until: Option<Duration>,
}

/// How the data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// A bar has come that is not old.
    Fresh,
    /// None has, and not for so long that it means something.
    Unknown,
    /// None has for too long.
    Stale {
        /// For how long, milliseconds.
        ms: i64,
        /// Whether it may be that time has jumped and the feed could not say anything yet.
        may_answer: bool,
    },
}

impl Data {
    /// What is done about the data, where `held` is and `on_stale` is to be done when they are stale. A position is not
    /// closed before the feed could answer; it does not grow meanwhile.
    pub(super) fn behaviour(self, held: Option<Behaviour>, on_stale: Behaviour) -> Option<Behaviour> {
        match self {
            Self::Fresh => None,
            // What an earlier process found holds until a bar comes.
            Self::Unknown => held,
            Self::Stale { may_answer: true, .. } if on_stale == Behaviour::Flatten => {
                held.max(Some(Behaviour::ReduceOnly))
            }
            Self::Stale { .. } => Some(on_stale),
        }
    }
}

impl Silence {
    /// Nothing has been said before `monotonic`, and bars are `base` long.
    pub(super) fn begin(base: Timeframe, monotonic: Duration) -> Self {
        Self {
            base_ms: base.millis(),
            begun: monotonic,
            heard: monotonic,
            newest_end: None,
            last_ms: 0,
            may_answer_until: None,
        }
    }

    /// A bar that ended at `end` has come.
    pub(super) fn hear(&mut self, end: Timestamp, monotonic: Duration) {
        if self.newest_end.is_none_or(|newest| newest < end) {
            self.newest_end = Some(end);
            self.heard = monotonic;
        }
    }

    /// How the data are at `now`, where they are stale after `stale_after_bars` intervals of the feed.
    pub(super) fn look(&mut self, stale_after_bars: u32, now: Timestamp, monotonic: Duration) -> Data {
        let longest_ms = i64::from(stale_after_bars).saturating_mul(self.base_ms);
        let silent_ms = millis(monotonic.saturating_sub(self.heard));
        let is_young = millis(monotonic.saturating_sub(self.begun)) < longest_ms;
        let age_ms = self.newest_end.map(|end| now.millis_since(end));
        let ms = age_ms.filter(|_| !is_young).unwrap_or(0).max(silent_ms);
        let answer_ms = ANSWER_BARS * self.base_ms;
        let last_ms = std::mem::replace(&mut self.last_ms, ms);
        if last_ms < longest_ms && ms.saturating_sub(last_ms) >= answer_ms {
            self.may_answer_until = Some(monotonic + Duration::from_millis(answer_ms.unsigned_abs()));
        }
        if ms >= longest_ms {
            return Data::Stale {
                ms,
                may_answer: self.may_answer_until.is_some_and(|until| monotonic < until),
            };
        }
        if age_ms.is_some_and(|age_ms| age_ms < longest_ms) { Data::Fresh } else { Data::Unknown }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const LONGEST: u32 = 10;

    /// A time of day and a monotonic time, seconds after the begin.
    struct Time {
        silence: Silence,
        now: i64,
        monotonic: i64,
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::EPOCH.plus_millis(1_700_000_000_000 + 1_000 * seconds)
    }

    impl Time {
        /// The time of day is wrong by so many seconds.
        fn begin(wrong: i64) -> Self {
            let silence = Silence::begin(Timeframe::MINUTE, Duration::from_secs(1_000));
            Self { silence, now: wrong, monotonic: 0 }
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs((1_000 + self.monotonic).unsigned_abs())
        }

        fn look(&mut self) -> Data {
            self.silence.look(LONGEST, at(self.now), self.monotonic())
        }

        /// So many seconds pass, and somebody looks each second.
        fn pass(&mut self, seconds: i64) -> Data {
            for _ in 0..seconds {
                (self.now, self.monotonic) = (self.now + 1, self.monotonic + 1);
                self.look();
            }
            self.look()
        }

        /// A bar that ended at `end` comes.
        fn hear(&mut self, end: i64) -> Data {
            let monotonic = self.monotonic();
            self.silence.hear(at(end), monotonic);
            self.look()
        }

        /// Minutes pass; bars come `late` seconds after their end by a right clock.
        fn minutes(&mut self, minutes: i64, late: i64) -> Data {
            let mut data = self.look();
            for _ in 0..minutes {
                self.pass(MINUTE);
                data = self.hear(self.monotonic - late);
            }
            data
        }
    }

    fn is_stale(data: Data) -> bool {
        matches!(data, Data::Stale { may_answer: false, .. })
    }

    #[test]
    fn what_was_silent_before_says_nothing_and_nothing_is_fresh_before_a_bar_comes() {
        let mut time = Time::begin(0);
        assert_eq!(time.pass(10 * MINUTE - 1), Data::Unknown);
        assert!(is_stale(time.pass(1)));
        assert_eq!(time.hear(time.now), Data::Fresh);
        // One that is as old as what was stale is no sign of life.
        let mut time = Time::begin(0);
        assert_eq!(time.hear(-10 * MINUTE), Data::Unknown);
        assert_eq!(time.hear(-10 * MINUTE + 1), Data::Fresh);
    }

    #[test]
    fn a_time_of_day_that_is_set_back_hides_no_silence() {
        for (wrong, step) in [(0, -5), (3_600, -3_600), (86_400, -86_400), (0, -86_400)] {
            let mut time = Time::begin(wrong);
            time.now += step;
            assert!(!is_stale(time.pass(10 * MINUTE - 1)), "{wrong} {step}");
            assert!(is_stale(time.pass(1)), "{wrong} {step}");
        }
    }

    #[test]
    fn bars_that_come_too_late_are_stale_at_last() {
        let mut time = Time::begin(0);
        assert_eq!(time.minutes(9, 11 * MINUTE), Data::Unknown);
        let data = time.minutes(1, 11 * MINUTE);
        assert_eq!(data, Data::Stale { ms: 660_000, may_answer: true }, "it may have begun with old ones");
        assert!(is_stale(time.minutes(2, 11 * MINUTE)));
        assert_eq!(time.minutes(1, 0), Data::Fresh);
    }

    #[test]
    fn behind_a_jump_of_time_the_feed_may_answer_once() {
        // The time of day is set, or the machine stood still.
        for stood_still in [0, 20 * MINUTE] {
            let mut time = Time::begin(0);
            time.minutes(15, 0);
            (time.now, time.monotonic) = (time.now + 20 * MINUTE, time.monotonic + stood_still);
            assert_eq!(time.look(), Data::Stale { ms: 1_200_000, may_answer: true });
            assert!(!is_stale(time.pass(2 * MINUTE - 1)));
            assert!(is_stale(time.pass(1)));
            // It stands still again, and nobody has answered.
            (time.now, time.monotonic) = (time.now + 20 * MINUTE, time.monotonic + stood_still);
            assert!(is_stale(time.look()));
            assert_eq!(time.hear(time.now), Data::Fresh);
        }
        // So short that it becomes stale only later.
        let mut time = Time::begin(0);
        time.minutes(15, 0);
        (time.now, time.monotonic) = (time.now + 9 * MINUTE, time.monotonic + 9 * MINUTE);
        assert_eq!(time.look(), Data::Fresh);
        assert!(!is_stale(time.pass(2 * MINUTE - 1)));
        assert!(is_stale(time.pass(1)));
    }

    #[test]
    fn a_position_is_not_closed_before_the_feed_could_answer_and_what_held_before_is_not_eased() {
        use Behaviour::{Flatten, Hold, ReduceOnly};
        let stale = |may_answer| Data::Stale { ms: 0, may_answer };
        assert_eq!(stale(true).behaviour(None, Flatten), Some(ReduceOnly));
        assert_eq!(stale(true).behaviour(Some(Flatten), Flatten), Some(Flatten));
        assert_eq!(stale(true).behaviour(None, Hold), Some(Hold));
        assert_eq!(stale(false).behaviour(Some(ReduceOnly), Flatten), Some(Flatten));
        assert_eq!(Data::Unknown.behaviour(Some(Flatten), ReduceOnly), Some(Flatten));
        assert_eq!(Data::Unknown.behaviour(None, Flatten), None);
        assert_eq!(Data::Fresh.behaviour(Some(Flatten), Flatten), None);
    }
}
