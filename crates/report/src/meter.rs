//! Where the evidence for an arm stands, read from the grading of a verdict.

use serde::{Deserialize, Serialize};
use walkforward_core::{Grade, Grading, Timestamp};

use crate::numbers;
use crate::sections::counted;

/// A verdict's evidence meter. What a record does not hold is none: an older one holds less.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterReport {
    /// What the arm is measured against: `flat`, or a model's id.
    pub reference: String,
    /// Where it stands in words.
    pub sentence: String,
    /// The figures.
    pub standing: MeterStanding,
    /// Hours of the calendar until the next look, in the mean.
    pub next_look_in_hours: Option<f64>,
    /// Live bars of the ledger.
    pub live_bars: Option<u64>,
    /// The arm beside the asset held at the arm's own mean exposure; none where nobody knows what the asset did.
    pub holding: Option<MeterHolding>,
    /// Chance of each grade, by the lead that is assumed.
    pub outlooks: Vec<MeterOutlook>,
    /// What the pair's test has spent of its level.
    pub error: MeterError,
    /// What the difference's Sharpe ratio is worth. It decides nothing.
    pub track_record: MeterTrackRecord,
    /// What the figures are held against.
    pub levels: MeterLevels,
    /// The champion's own arm against the anchor that it set; none of other arms.
    pub own_anchor: Option<MeterOwnAnchor>,
}

/// Where the champion's arm stands against the model by which it took over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterOwnAnchor {
    /// The anchor: a model's id.
    pub reference: String,
    /// Whether the arm's newer snapshots lead it.
    pub leads: bool,
    /// The same in words.
    pub sentence: String,
}

/// What holding the asset would have come to on the evidence window. It decides nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterHolding {
    /// Mean position of the arm as a fraction of equity.
    pub mean_exposure: Option<f64>,
    /// Sum of the arm's net returns.
    pub arm: Option<f64>,
    /// Sum of the asset's returns at that exposure, without costs.
    pub held: Option<f64>,
    /// The same in words.
    pub sentence: String,
}

/// The figures of a ledger at its last look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterStanding {
    /// Bars in the ledger.
    pub counted_bars: Option<u64>,
    /// Those of them that no sequential test counts.
    pub replayed_bars: Option<u64>,
    /// Bars up to the last look; none as long as there was none.
    pub look_bars: Option<u64>,
    /// Looks so far.
    pub looks: Option<u64>,
    /// Bars that are missing to the next look.
    pub next_look_in_bars: Option<u64>,
    /// Bars of the first look.
    pub first_look_bars: Option<u64>,
    /// Bars on which the two differ.
    pub differing_bars: Option<u64>,
    /// Separate stretches of such bars.
    pub differing_stretches: Option<u64>,
    /// Trades that the arm closed.
    pub closed_trades: Option<u64>,
    /// What the figures come to on however few decisions.
    pub without_rails: Option<Grade>,
    /// What they come to once there are enough.
    pub grade: Option<Grade>,
    /// Whether both decided alike on every bar.
    pub same_decisions: bool,
    /// The evidence window; none before the first look.
    pub recent: Option<MeterWindow>,
    /// The sequential tests.
    pub sequential: MeterSequential,
}

/// The evidence window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterWindow {
    /// Its length in days of the market.
    pub days: Option<f64>,
    /// The lead as a fraction of equity.
    pub gap: Option<f64>,
    /// Annualised Sharpe ratio of the difference.
    pub sharpe: Option<f64>,
    /// How often luck alone does as well.
    pub p: Option<f64>,
}

/// The sequential tests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterSequential {
    /// Live bars that they have counted.
    pub bars: Option<u64>,
    /// Which of them decides: `registered_test` or `e_process`.
    pub decider: String,
    /// Why the registered test does not decide any more.
    pub broken: Option<String>,
    /// Bars of the registered test; none without one.
    pub horizon_bars: Option<u64>,
    /// Its statistic.
    pub z: Option<f64>,
    /// What the statistic has to reach.
    pub boundary: Option<f64>,
    /// Natural logarithm of the e-value; none when it is 0 for good.
    pub log_e: Option<f64>,
    /// The largest that it ever was.
    pub max_log_e: Option<f64>,
    /// What it has to reach.
    pub log_e_needed: Option<f64>,
    /// The first bar that was below the declared bound.
    pub bound_broken_at: Option<u64>,
    /// The number of bars at which the deciding test was crossed.
    pub qualified_at: Option<u64>,
    /// Close of the bar at which an earlier verdict found a crossing; it stays.
    pub crossed_before: Option<Timestamp>,
}

/// The chance of each grade if the lead is what is assumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterOutlook {
    /// The assumption.
    pub gap: MeterGap,
    /// The chances, for the shortest time first.
    pub chances: Vec<MeterChance>,
}

/// The true lead that a chance assumes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterGap {
    /// The one on the evidence window.
    Observed,
    /// An annual Sharpe ratio.
    Sharpe(f64),
}

/// How likely each grade is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterChance {
    /// Within so many days of the market.
    pub within_days: u64,
    /// Chance of provisional or more.
    pub provisional: Option<f64>,
    /// Chance of screened or more.
    pub screened: Option<f64>,
    /// Chance of qualified.
    pub qualified: Option<f64>,
}

/// The chance of a false qualification that the test of an arm against one reference may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterError {
    /// Spent so far.
    pub spent: Option<f64>,
    /// The level of this test.
    pub allowed: Option<f64>,
    /// What the tests that a line registers within a year may add up to, and what all others may.
    pub of_the_line: Option<f64>,
}

/// What a Sharpe ratio of the difference is worth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterTrackRecord {
    /// Annualised Sharpe ratio of the difference.
    pub sharpe: Option<f64>,
    /// Probability that the true one is above 0.
    pub probabilistic_sharpe: Option<f64>,
    /// How often luck had its chance.
    pub trials: Option<u64>,
    /// What was counted: `arms` or `models`.
    pub trials_of: String,
    /// Where the variance of their ratios is from: `without_skill` or `hold_outs`.
    pub variance_from: String,
    /// Probability that it is above the best that so many trials without skill are expected to show.
    pub deflated_sharpe: Option<f64>,
    /// Bars after which it would be above 0 with 95 % confidence.
    pub min_track_record_bars: Option<f64>,
}

/// The limits that the figures have to reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeterLevels {
    /// Provisional at a p of at most this.
    pub provisional_p: Option<f64>,
    /// Screened at a p of at most this.
    pub screened_p: Option<f64>,
    /// Fewer separate stretches decide nothing.
    pub min_stretches: Option<u64>,
    /// Fewer closed trades decide nothing.
    pub min_trades: Option<u64>,
}

/// How often luck alone earns `grade`, in a sentence that stands wherever a grade is shown.
pub fn worth(grade: Grade) -> String {
    format!("an arm without any skill {} (default levels; docs/evidence.md)", grade.reached_by_luck())
}

/// The same for each grade that `is_shown`, the lowest first.
pub fn worths(is_shown: impl Fn(Grade) -> bool) -> Vec<String> {
    Grade::ALL.into_iter().filter(|grade| is_shown(*grade)).map(worth).collect()
}

/// Stands in place of every figure about qualified where all bars of the ledger were replayed.
pub const LIVE_BARS_ONLY: &str = "live bars only";

impl MeterTrackRecord {
    /// Among how many of what luck had its chance: `3 arms`, `56 models`.
    pub fn trials_in_words(&self) -> String {
        let (one, many) = if self.trials_of == "arms" { ("arm", "arms") } else { ("model", "models") };
        counted(self.trials.unwrap_or(0), one, many)
    }

    /// How much the ratios of those are taken to vary, in a sentence; none where a record does not say.
    pub fn variance_in_words(&self) -> Option<&'static str> {
        match self.variance_from.as_str() {
            "without_skill" => {
                Some("their ratios are taken to vary as those of arms without skill do over as many bars")
            }
            "hold_outs" => Some(
                "their ratios are taken to vary as those of the line’s models do on their hold-outs, scaled to as many bars",
            ),
            _ => None,
        }
    }
}

impl MeterReport {
    /// Whether all bars of the ledger were replayed: such never qualify.
    pub fn is_replay_alone(&self) -> bool {
        self.live_bars == Some(0) && self.standing.counted_bars > Some(0)
    }

    /// The meter of `grading`; none where it holds none that can be read.
    pub fn of(grading: &Grading) -> Option<Self> {
        serde_json::from_value(grading.meter.clone()).ok()
    }
}

impl MeterOwnAnchor {
    /// What it comes to, in a sentence.
    pub fn in_words(&self) -> String {
        let relation = if self.leads { "lead" } else { "do not lead" };
        format!(
            "newer snapshots {relation} {}, by which the arm took over: {}",
            self.reference, self.sentence
        )
    }
}

impl MeterGap {
    /// The assumption as the end of a sentence that begins with "if".
    pub fn in_words(self) -> String {
        match self {
            Self::Observed => "the lead goes on as observed".to_owned(),
            Self::Sharpe(0.0) => "there is no lead".to_owned(),
            Self::Sharpe(ratio) => format!("the lead is a Sharpe ratio of {}", numbers::shortest(ratio)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use walkforward_core::PromotionClass;

    use super::*;

    fn meter(meter: Value) -> Option<MeterReport> {
        let arm = "0123456789abcdef".parse().unwrap();
        let class = PromotionClass::Takeover;
        MeterReport::of(&Grading {
            arm,
            class,
            grade: None,
            earned: None,
            reference: "flat".to_owned(),
            meter,
        })
    }

    #[test]
    fn what_a_record_does_not_hold_is_none() {
        let read = meter(json!({ "standing": { "countedBars": 7 }, "later": [1] })).unwrap();
        assert_eq!((read.standing.counted_bars, read.standing.recent), (Some(7), None));
        assert_eq!(meter(json!({})), Some(MeterReport::default()));
        assert!(!MeterReport::default().is_replay_alone());
        let replayed = json!({ "standing": { "countedBars": 7 }, "liveBars": 0 });
        assert!(meter(replayed).unwrap().is_replay_alone());
        assert_eq!([meter(Value::Null), meter(json!("torn"))], [None, None]);
    }

    #[test]
    fn a_lead_is_the_observed_one_or_a_ratio() {
        let outlook = |gap: Value| json!({ "gap": gap, "chances": [{ "withinDays": 30, "screened": 0.5 }] });
        let read =
            meter(json!({ "outlooks": [outlook(json!("observed")), outlook(json!({ "sharpe": 2.0 }))] }));
        let outlooks = read.unwrap().outlooks;
        assert_eq!([outlooks[0].gap, outlooks[1].gap], [MeterGap::Observed, MeterGap::Sharpe(2.0)]);
        assert_eq!((outlooks[0].chances[0].screened, outlooks[0].chances[0].qualified), (Some(0.5), None));
    }
}
