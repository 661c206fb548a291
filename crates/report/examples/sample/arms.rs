//! Invented arms, and an invented demonstration.

use serde_json::{Value, json};
use walkforward_core::{ArmId, Grade, Grading, PromotionClass, Timestamp, Window};
use walkforward_report::{
    ArmQuarantine, ArmReport, DemoEquity, DemoMarket, DemoProof, DemoReport, DemoRows, EvidenceReport,
    JudgedSnapshot, LineTests, ReplayChange, ReplayEquity,
};

const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 720;

fn at(hour: i64) -> Timestamp {
    Timestamp::from_millis(1_704_067_200_000).expect("a time").plus_millis(hour * HOUR_MS)
}

/// An arm's grading with a meter as `promoter` writes it.
pub(crate) fn grading(arm: u64, grade: Option<Grade>, p: f64) -> Grading {
    Grading {
        arm: id(arm),
        class: PromotionClass::Takeover,
        grade,
        earned: grade,
        reference: "flat".to_owned(),
        meter: meter(p),
    }
}

fn id(arm: u64) -> ArmId {
    format!("{arm:016x}").parse().expect("an arm")
}

fn meter(p: f64) -> Value {
    let chance = |days: u64, all: [f64; 3]| json!({ "withinDays": days, "provisional": all[0], "screened": all[1], "qualified": all[2] });
    let outlook = |gap: Value, lift: f64| {
        let chances = [
            chance(30, [0.4 + lift, 0.02 + lift / 4.0, 0.0]),
            chance(90, [0.6 + lift, 0.1 + lift / 2.0, lift / 20.0]),
            chance(365, [0.94, 0.3 + lift, 0.004 + lift]),
        ];
        json!({ "gap": gap, "chances": chances })
    };
    json!({
        "reference": "flat",
        "sentence": format!(
            "the arm beat flat by 4.1 % over 56 days; luck alone does that 1 time in {:.0} (p = {p}), provisional needs 1 in \
             5, screened 1 in 100: about 60 more days at this rate", 1.0 / p
        ),
        "nextLookInHours": 12.0,
        "liveBars": 1_356,
        "holding": {
            "meanExposure": 0.85, "arm": 0.041, "held": 0.062,
            "sentence": "over 56 days the arm made 4.1 % after costs; the asset, held at the arm's mean exposure of 85 % on the \
                         same bars, would have made 6.2 % before costs (this decides nothing)"
        },
        "standing": {
            "countedBars": 1_356, "replayedBars": 0, "lookBars": 1_344, "looks": 43, "nextLookInBars": 12,
            "firstLookBars": 336, "differingBars": 812, "differingStretches": 34, "closedTrades": 33,
            "withoutRails": p_grade(p), "grade": p_grade(p), "sameDecisions": false,
            "recent": { "days": 56.0, "gap": 0.041, "sharpe": 1.21, "p": p },
            "sequential": {
                "bars": 1_344, "decider": "registered_test", "broken": null, "horizonBars": 8_760, "z": 0.41,
                "boundary": 2.51, "logE": 0.33, "maxLogE": 0.71, "logENeeded": 4.38, "boundBrokenAt": null,
                "qualifiedAt": null
            },
        },
        "outlooks": [
            outlook(json!("observed"), 0.3), outlook(json!({ "sharpe": 0.0 }), 0.0),
            outlook(json!({ "sharpe": 1.0 }), 0.15), outlook(json!({ "sharpe": 2.0 }), 0.35),
        ],
        "error": { "spent": 3.2e-7, "allowed": 0.0125, "ofTheLine": 0.05 },
        "trackRecord": {
            "sharpe": 1.21, "probabilisticSharpe": 0.71, "trials": 3, "trialsOf": "arms",
            "varianceFrom": "without_skill", "deflatedSharpe": 0.04, "minTrackRecordBars": 16_230.4
        },
        "levels": { "provisionalP": 0.2, "screenedP": 0.01, "minStretches": 20, "minTrades": 10 },
    })
}

/// What a p alone comes to at the default levels.
fn p_grade(p: f64) -> Option<Grade> {
    match p {
        p if p <= 0.01 => Some(Grade::Screened),
        p if p <= 0.2 => Some(Grade::Provisional),
        _ => None,
    }
}

/// Four arms: without a verdict, without figures, without a grade, and with one.
pub(crate) fn arms() -> EvidenceReport {
    let judged = |grading: Grading| JudgedSnapshot {
        model: "model-2024-02-26T00-10-00-000Z".parse().expect("a model"),
        published_at: at(1_344),
        sentence: "model-2024-02-26T00-10-00-000Z waits: <its> arm has no grade".to_owned(),
        grading,
    };
    let arm = |number: u64, judged: Option<JudgedSnapshot>| ArmReport {
        arm: id(number),
        line: "btc".parse().expect("a line"),
        registered_at: at(0),
        snapshots: 56,
        trades: number == 0xa1b2_c3d4,
        quarantine: (number == 0xfeed).then(|| ArmQuarantine {
            until: at(1_700),
            sentence: "evidence: E is 5.4, and 5 takes a champion back".to_owned(),
        }),
        line_tests: Some(LineTests { registered: 0.025, anytime: 0.0083 }),
        judged,
    };
    let unread = Grading { meter: Value::Null, ..grading(0xbeef, None, 0.5) };
    EvidenceReport {
        about: "line btc".to_owned(),
        arms: vec![
            arm(0xa1b2_c3d4, Some(judged(grading(0xa1b2_c3d4, Some(Grade::Provisional), 0.07)))),
            arm(0xfeed, Some(judged(grading(0xfeed, None, 0.44)))),
            arm(0xbeef, Some(judged(unread))),
            arm(0xcafe, None),
        ],
    }
}

fn equity(name: &str, explanation: &str, drift: f64, phase: f64) -> ReplayEquity {
    let change =
        |hour: i64| drift + if drift == 0.0 { 0.0 } else { (hour as f64 / 17.0 + phase).sin() / 400.0 };
    let net_return: Vec<f64> = (0..HOURS).map(change).collect();
    let total: f64 = net_return.iter().map(|value| 1.0 + value).product();
    ReplayEquity {
        name: name.to_owned(),
        explanation: explanation.to_owned(),
        bar_close: (1..=HOURS).map(at).collect(),
        net_return,
        total_return: Some(total - 1.0),
        sharpe: (drift != 0.0).then_some(drift * 5_000.0),
        max_drawdown: Some(if drift == 0.0 { 0.0 } else { 0.031 }),
        exposure: Some(0.4),
    }
}

fn market(name: &str, explanation: &str, edge: f64) -> DemoMarket {
    let rule = |equity, promotions| DemoEquity { equity, promotions };
    DemoMarket {
        name: name.to_owned(),
        explanation: explanation.to_owned(),
        symbol: "BTC/USD".parse().expect("a pair"),
        timeframe: "1h".parse().expect("a timeframe"),
        span: Window::new(at(0), at(HOURS)).expect("a span"),
        cycles: 30,
        equities: vec![
            rule(
                equity("Walkforward", "the champion of each time", edge.max(0.0) * 2e-4, 0.0),
                Some(if edge > 0.0 { 4 } else { 0 }),
            ),
            rule(
                equity("Every snapshot at once", "each newest model, unjudged", (edge - 0.7) * 3e-4, 1.0),
                Some(30),
            ),
            rule(equity("Preset thresholds", "three fixed bounds", (edge - 0.6) * 2e-4, 2.0), Some(9)),
            rule(equity("Buy and hold", "the asset from the second bar on", -1e-4, 3.0), None),
            rule(equity("Flat", "no position", 0.0, 0.0), None),
        ],
        changes: vec![ReplayChange {
            at: at(400),
            kind: "takeover".to_owned(),
            model: Some("model-2024-01-17T16-10-00-000Z".to_owned()),
            grade: Some("provisional".to_owned()),
            sentence: "its arm takes the line over as provisional".to_owned(),
        }],
        changes_left_out: 0,
        refusals: vec![("too_early".to_owned(), 13), ("no_grade".to_owned(), 12)],
    }
}

/// Two markets and four proofs, one of which failed.
pub(crate) fn demo() -> DemoReport {
    let proof = |name: &str, held: bool, rows: Option<DemoRows>| DemoProof {
        name: name.to_owned(),
        held,
        sentence:
            "A feature that knows the <next> bar was given to the trainer; the check of the dataset found it \
                   before the first iteration."
                .to_owned(),
        facts: vec![
            ("Feature".to_owned(), "log_return(-1)".to_owned()),
            ("Bars".to_owned(), "720".to_owned()),
        ],
        rows,
    };
    let rows = DemoRows {
        header: ["Bar", "Model", "Decision"].map(str::to_owned).to_vec(),
        rows: vec![["12:00", "model-1", "long"].map(str::to_owned).to_vec()],
    };
    DemoReport {
        days: 30,
        every: "24h".to_owned(),
        iterations: 12,
        seed: 1,
        command: "orchestrate demo --seed 1".to_owned(),
        markets: vec![
            market("With an edge", "Returns follow a planted pattern that a model can learn.", 1.0),
            market("Without one", "The same returns in shuffled blocks: nothing can be learned.", -0.1),
        ],
        proofs: vec![
            proof("A leak is caught", true, None),
            proof("A torn model is refused", true, None),
            proof("A swap between two bars", true, Some(rows)),
            proof("Replay parity", false, None),
        ],
        settings: vec![("Fee".to_owned(), "25 bps".to_owned())],
        notes: vec!["Thirty days on invented bars say nothing about a real market.".to_owned()],
    }
}
