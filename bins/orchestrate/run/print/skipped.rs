//! What is printed instead of a run.

use serde_json::json;
use walkforward::failure::Failure;
use walkforward::output::say;
use walkforward::settings::Output;
use walkforward_core::{ModelId, Timeframe, Timestamp};
use walkforward_orchestrator::RunError;
use walkforward_report::length_in_words;

use crate::text::{self, minute};

/// Prints that there was no run; `interval_ms` is the time between cycles, if there are any.
pub(in crate::run) fn skipped(
    skipped: &RunError,
    interval_ms: Option<i64>,
    output: Output,
) -> Result<(), Failure> {
    let wait = Wait::for_unseen_bars(skipped, interval_ms);
    match output {
        Output::Human => say(&wait.map_or_else(|| format!("skipped: {skipped}\n"), |wait| wait.human())),
        Output::Json => {
            let mut line = json!({ "outcome": "skipped", "reason": skipped.to_string() });
            if let (Some(line), Some(wait)) = (line.as_object_mut(), wait) {
                line.extend(wait.json());
            }
            say(&format!("{line}\n"))
        }
        Output::Quiet => Ok(()),
    }
}

/// What a line waits for whose champion has seen the bars that would judge.
struct Wait<'a> {
    champion: &'a ModelId,
    seen_until: Timestamp,
    window_end: Timestamp,
    timeframe: Timeframe,
    unseen_bars: usize,
    needed: usize,
    interval_ms: Option<i64>,
}

impl<'a> Wait<'a> {
    fn for_unseen_bars(skipped: &'a RunError, interval_ms: Option<i64>) -> Option<Self> {
        let RunError::Contaminated { champion, seen_until, window_end, timeframe, unseen_bars, needed } =
            skipped
        else {
            return None;
        };
        Some(Self {
            champion,
            seen_until: *seen_until,
            window_end: *window_end,
            timeframe: *timeframe,
            unseen_bars: *unseen_bars,
            needed: *needed,
            interval_ms,
        })
    }

    fn bars(&self) -> usize {
        self.needed.saturating_sub(self.unseen_bars)
    }

    /// When enough bars can have closed: a market with closing times takes longer.
    fn earliest(&self) -> Timestamp {
        self.seen_until.plus_millis(self.timeframe.millis().saturating_mul(self.needed as i64))
    }

    fn length_ms(&self) -> i64 {
        self.earliest().millis_since(self.window_end).max(0)
    }

    fn cycles(&self) -> Option<u64> {
        let interval_ms = self.interval_ms?.max(1).unsigned_abs();
        Some(self.length_ms().unsigned_abs().div_ceil(interval_ms))
    }

    fn human(&self) -> String {
        let Self { champion, seen_until, timeframe, unseen_bars, needed, .. } = self;
        let why = format!(
            "a candidate is compared with the champion on bars that neither has seen. The champion {champion} has \
             seen all until {}; after that there are {unseen_bars} bars, and a verdict needs {needed}",
            minute(*seen_until)
        );
        let cycles = self.cycles().map(|cycles| format!(", {cycles} cycles on")).unwrap_or_default();
        let wait = format!(
            "until {} more bars of {timeframe} have closed: {} at the earliest, {} after this window{cycles}",
            self.bars(),
            minute(self.earliest()),
            length_in_words(self.length_ms()),
        );
        let fewer = match unseen_bars {
            0 => String::new(),
            unseen => format!("judge on fewer bars (--min-judged-bars {unseen}); "),
        };
        let or = format!(
            "{fewer}train for a line of its own, which has no champion yet (--line NAME); supply metrics of your own \
             (EVAL_METRICS_PATH)"
        );
        let heading = "skipped: no candidate could be judged, so none was trained\n";
        let parts = [("why", why), ("wait", wait), ("or", or)];
        let parts = parts.map(|(label, sentence)| text::labelled(label, &sentence));
        format!("{heading}{}", parts.concat())
    }

    fn json(&self) -> serde_json::Map<String, serde_json::Value> {
        let details = [
            ("champion", json!(self.champion)),
            ("seenUntil", json!(self.seen_until)),
            ("unseenBars", json!(self.unseen_bars)),
            ("neededBars", json!(self.needed)),
            ("barsToWait", json!(self.bars())),
            ("earliest", json!(self.earliest())),
            ("cyclesToWait", json!(self.cycles())),
        ];
        details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_champion_that_has_seen_the_hold_out_says_what_to_wait_for() {
        let error = RunError::Contaminated {
            champion: "model-2024-01-01T00-00-00-000Z".parse().unwrap(),
            seen_until: "2024-01-10T00:00:00Z".parse().unwrap(),
            window_end: "2024-01-14T04:00:00Z".parse().unwrap(),
            timeframe: "1h".parse().unwrap(),
            unseen_bars: 100,
            needed: 250,
        };
        let wait = Wait::for_unseen_bars(&error, Some(6 * 3_600_000)).unwrap();
        assert_eq!((wait.bars(), wait.cycles()), (150, Some(25)));
        let said = wait.human();
        for part in [
            "model-2024-01-01T00-00-00-000Z has seen all until 2024-01-10 00:00",
            "there are 100 bars, and a verdict needs 250",
            "until 150 more bars of 1h have closed: 2024-01-20 10:00 at the earliest, 6 days after this window, 25 cycles on",
            "--min-judged-bars 100",
            "--line NAME",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(wait.json()["earliest"], "2024-01-20T10:00:00.000Z");
        assert_eq!(Wait::for_unseen_bars(&error, None).unwrap().json()["cyclesToWait"], json!(null));
    }

    #[test]
    fn other_skips_have_nothing_to_wait_for() {
        let error = RunError::NoNewBars("model-2024-01-01T00-00-00-000Z".parse().unwrap());
        assert!(Wait::for_unseen_bars(&error, None).is_none());
    }
}
