//! Models, evaluations and sessions as a store keeps them.

use serde_json::json;
use walkforward_core::{
    Action, Cash, EvaluationReport, Fill, LineName, Metrics, ModelId, Outcome, Price, Quantity, RunId, Side,
    SuppliedBy, Timestamp, TradeRecord, TradingMode, TrainingOutcome, Verdict,
};
use walkforward_store::{
    EvaluationRecord, JournalPosition, LiveBar, LiveCandle, LiveEvent, LiveFill, LiveModel, LiveRecord,
    LiveRow, LiveSwap, ModelRecord, ModelStatus, NewExperiment, NewLiveSession, POLICY_FILE, PromotionKind,
    PromotionRequest, RunOutcome, Store,
};

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn line(name: &str) -> LineName {
    name.parse().unwrap()
}

fn verdict() -> Verdict {
    Verdict {
        preset: "thresholds".to_owned(),
        outcome: Outcome::Promote,
        reason: None,
        sentence: "all thresholds hold".to_owned(),
        checks: Vec::new(),
        warnings: Vec::new(),
        grading: None,
    }
}

fn record(run: &RunId, line: &LineName) -> ModelRecord {
    let used_until = time("2023-12-01T00:00:00Z");
    ModelRecord {
        model_id: ModelId::of_run(run),
        run_id: run.clone(),
        status: ModelStatus::Evaluated,
        created_at: run.started_at().unwrap(),
        etl_path: format!("data/etl/etl-{run}.json"),
        metrics: Some(Metrics { win_rate: Some(0.6), ..Metrics::default() }),
        evaluated_at: None,
        promoted: false,
        promoted_at: None,
        promotion_gate: None,
        line: line.clone(),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        sha256: String::new(),
        optimizer_sha256: None,
        used_until,
        lineage_until: used_until,
        trained_until: used_until,
        trained_at: run.started_at().unwrap(),
        parent_id: None,
        parent_choice: None,
        made_for: None,
        recipe: None,
        seed: 7,
        pack: json!({ "clip_coef": 0.2 }),
        dataset_hash: "d".repeat(64),
        training: TrainingOutcome {
            trainer: "test".to_owned(),
            used_until,
            iterations: 1,
            environment_steps: 2,
            metrics: [("approx_kl".to_owned(), 0.01)].into(),
            instruction_set: None,
            cold_start: None,
        },
        verdict: Some(verdict()),
        supplied_by: None,
        champion_id: None,
        champion_metrics: None,
        code_version: "0.1.0".to_owned(),
        weights_removed: None,
        declined: None,
    }
}

/// A judged model with this parent.
pub(crate) fn model(store: &Store, of: &LineName, edit: impl FnOnce(&mut ModelRecord)) -> ModelRecord {
    let run = store.allocate_run_id().unwrap();
    let attempt = format!("{run}-1");
    let folder = store.staging_dir(&attempt).unwrap();
    std::fs::write(folder.join(POLICY_FILE), format!("weights of {run}")).unwrap();
    let mut record = record(&run, of);
    edit(&mut record);
    store.adopt(&attempt, record).unwrap()
}

/// A model that a gate let through beside `champion`, and whose run held it.
pub(crate) fn held(store: &Store, of: &LineName, champion: Option<&ModelId>) -> ModelId {
    let model = model(store, of, |record| record.champion_id = champion.cloned());
    store.begin_run(&model.run_id, of).unwrap();
    store.finish_run(&model.run_id, RunOutcome::Held, None).unwrap();
    model.model_id
}

/// A model that is champion from now on.
pub(crate) fn champion(store: &Store, of: &LineName) -> ModelId {
    let before = store.pointer(of).unwrap().map(|pointer| pointer.model_id);
    let parent = before.clone();
    let to = model(store, of, |record| record.parent_id = parent).model_id;
    let request = PromotionRequest {
        line: of,
        expected_current: before.as_ref(),
        to: &to,
        kind: PromotionKind::Promote,
        reason: "all thresholds hold",
        verdict: &verdict(),
        metrics: &Metrics { win_rate: Some(0.6), ..Metrics::default() },
    };
    store.promote(&request).unwrap();
    to
}

/// A training that is wanted.
pub(crate) fn experiment(id: &str) -> NewExperiment {
    NewExperiment {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        script: "test".to_owned(),
        line: LineName::default(),
        config: json!({ "seed": 7 }),
        tags: vec!["continuous".to_owned(), "schedule:btc".to_owned(), "cycle:3".to_owned()],
    }
}

/// The evaluation of a model that made so many trades.
pub(crate) fn evaluated(store: &Store, model_id: &ModelId, trades: usize) {
    let trade = TradeRecord {
        opened_at: time("2024-01-01T00:00:00Z"),
        closed_at: time("2024-01-01T05:00:00Z"),
        entry_notional: 1_000.0,
        pnl: 12.5,
        return_on_entry: 0.0125,
    };
    let mut candidate = EvaluationReport::without_figures(model_id.as_str(), SuppliedBy::Backtest);
    candidate.trades = vec![trade; trades];
    let record = EvaluationRecord {
        model_id: model_id.clone(),
        evaluated_at: time("2024-01-02T00:00:00Z"),
        candidate,
        champion: None,
        baselines: Vec::new(),
        close: Vec::new(),
        series_left_out: false,
    };
    store.write_evaluation(&record).unwrap();
}

fn cash(value: f64) -> Cash {
    Cash::new(value).unwrap()
}

/// A session with three bars, one fill, one swap and one event.
pub(crate) fn session(store: &Store, id: &str, of: &str) {
    let started_at = time("2024-01-01T00:00:00Z");
    let id = id.parse().unwrap();
    let session = NewLiveSession {
        id,
        line: line(of),
        symbol: "BTC/USD".parse().unwrap(),
        timeframe: "1h".parse().unwrap(),
        venue: "paper".to_owned(),
        initial_cash: cash(10_000.0),
        started_at,
        first_segment: 1,
    };
    store.begin_live_session(&session).unwrap();
    let model_id = "model-2024-01-01T00-00-00-000Z".parse().unwrap();
    let model = LiveModel { model_id, sha256: "ab".repeat(32), model_version: 1 };
    let position = Quantity::from_nanos(0);
    let bar = |number: i64| LiveRow::Bar {
        bar: LiveBar {
            open_time: started_at.plus_millis(number * 3_600_000),
            close: Price::new(100.0).unwrap(),
            // A row of a version that kept closes alone comes first.
            candle: (number > 0).then(|| LiveCandle {
                open: Price::new(99.0).unwrap(),
                high: Price::new(102.0).unwrap(),
                low: Price::new(98.5).unwrap(),
                volume: 12.5,
            }),
            missed: false,
            action: Some(Action(1)),
            model_version: Some(1),
            equity: cash(10_000.0),
            cash: cash(10_000.0),
            position,
            mode: TradingMode::Active,
        },
        fills: Vec::new(),
    };
    let fill = Fill {
        time: started_at,
        side: Side::Buy,
        quantity: Quantity::from_nanos(1_500_000_000),
        price: Price::new(100.0).unwrap(),
        fee_quantity: Quantity::from_nanos(0),
        fee_cash: cash(0.5),
    };
    let event =
        LiveEvent { at: started_at, kind: "warning".to_owned(), details: json!({ "n": 1 }), mode: None };
    let rows = [
        LiveRow::Nothing,
        LiveRow::Swap(LiveSwap { at: started_at, from: None, model, position }),
        bar(0),
        bar(1),
        bar(2),
        LiveRow::Fill(LiveFill { fill, expected_price: None, order_id: None, model_version: Some(1) }),
        LiveRow::Event(event),
        LiveRow::Ended { at: started_at, reason: "asked to".to_owned() },
    ];
    let records: Vec<LiveRecord> = (1..)
        .zip(rows)
        .map(|(record, row)| LiveRecord { at: JournalPosition { segment: 1, record }, row })
        .collect();
    store.project(&session.id, &records).unwrap();
}
