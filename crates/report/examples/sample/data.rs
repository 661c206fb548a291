//! Invented bars, and what invented models made of them.

use std::collections::BTreeMap;

use serde_json::json;
use walkforward_core::{
    Cash, Comparison, EvaluationReport, Fill, GapKind, GateCheck, Judgement, Metrics, ModelId, Outcome,
    Price, QualityFigures, QualityReport, Quantity, SampleFigures, Side, SuppliedBy, Timeframe, Timestamp,
    TradeRecord, TrainingOutcome, Verdict, Window,
};
use walkforward_report::{
    ActionShare, Ancestor, GapCounts, GapStretch, ModelReport, PriceSeries, Provenance, Role, Subject,
};

const HOUR_MS: i64 = 3_600_000;
const FEE: f64 = 0.002_5;
const CASH: f64 = 10_000.0;

/// A report with something in every section, over `bars` bars of `minutes` minutes.
pub(crate) fn sample(bars: usize, minutes: u32, seed: u64) -> ModelReport {
    let market = Market::new(bars, minutes, seed);
    let id = model(3);
    let mut report = ModelReport::new(
        format!("Model of {}", id.as_str().trim_start_matches("model-")),
        id.clone(),
        "BTC/USD".parse().expect("a pair"),
        Timeframe::from_minutes(minutes).expect("a timeframe"),
    );
    report.line = "default".parse().ok();
    report.judged_span = market.span();
    report.subjects = subjects(&market, &id);
    report.bars = PriceSeries { close_times: market.times.clone(), closes: market.closes.clone() };
    let verdict = verdict(&id, &report.subjects[0].metrics);
    report.status = if verdict.outcome == Outcome::Promote { "promoted" } else { "rejected" }.to_owned();
    report.verdict = Some(verdict);
    report.quality = Some(quality(&market));
    report.gaps = gaps(bars);
    report.lineage = (0..4).map(ancestor).collect();
    report.training = Some(training());
    report.settings = json!({
        "pack": { "gamma": 0.99, "gae_lambda": 0.95, "learning_rate": 0.0003, "num_envs": 64, "num_steps": 256 },
        "features": ["log_return", "rsi_14", "atr_14", "macd"],
        "window_bars": 8_760,
        "holdout_bars": bars,
    });
    report.provenance = provenance(&market, &id);
    report
}

/// A report about a model that does not load, on a line without a champion.
pub(crate) fn broken(bars: usize) -> ModelReport {
    let mut report = sample(bars, 60, 7);
    report.subjects.retain(|subject| subject.role != Role::Champion);
    let problem = "its weights hold a number that is not finite (layer 2, row 14)".to_owned();
    report.subjects[0] = Subject {
        metrics: Metrics::default(),
        problems: vec![problem.clone()],
        equity_times: Vec::new(),
        equity: Vec::new(),
        position_times: Vec::new(),
        position: Vec::new(),
        trades: Vec::new(),
        fills: Vec::new(),
        actions: Vec::new(),
        in_sample: None,
        out_of_sample: None,
        warnings: Vec::new(),
        ..report.subjects[0].clone()
    };
    let mut verdict = verdict(&report.model_id, &Metrics::default());
    verdict.outcome = Outcome::Reject;
    verdict.reason = Some("mechanical".to_owned());
    verdict.sentence = format!("{} may not trade: {problem}", report.model_id);
    report.status = "rejected".to_owned();
    report.verdict = Some(verdict);
    report
}

/// The model of the `n`-th invented cycle.
pub(crate) fn model(n: i64) -> ModelId {
    format!("model-2024-0{}-01T00-00-00-000Z", n + 1).parse().expect("a model's name")
}

/// A random walk with slow drifts.
struct Market {
    times: Vec<Timestamp>,
    closes: Vec<f64>,
    drift: Vec<f64>,
    bars_per_year: f64,
}

impl Market {
    fn new(bars: usize, minutes: u32, seed: u64) -> Self {
        let mut random = Random(seed);
        let scale = (f64::from(minutes) / 60.0).sqrt();
        let (mut close, mut slow) = (64_000.0, 0.0);
        let mut market = Self {
            times: Vec::new(),
            closes: Vec::new(),
            drift: Vec::new(),
            bars_per_year: 525_600.0 / f64::from(minutes),
        };
        for bar in 0..bars {
            slow = 0.97 * slow + 0.000_12 * scale * random.normal();
            close *= (slow + 0.005 * scale * random.normal()).exp();
            market.times.push(start().plus_millis((bar as i64 + 1) * i64::from(minutes) * 60_000));
            market.closes.push(close);
            market.drift.push(slow / scale);
        }
        market
    }

    fn span(&self) -> Option<Window> {
        Window::new(start(), *self.times.last()?).ok()
    }
}

fn start() -> Timestamp {
    "2024-04-01T00:00:00Z".parse().expect("a time")
}

/// Small, seeded, good enough for a picture.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn subjects(market: &Market, id: &ModelId) -> Vec<Subject> {
    let skilled = |threshold: f64| {
        move |bar: usize, held: bool| market.drift[bar] > if held { -threshold } else { threshold }
    };
    let mut candidate = Subject::of(Role::Candidate, &run(market, id.as_str(), skilled(0.000_35)));
    let mut champion = Subject::of(Role::Champion, &run(market, model(1).as_str(), skilled(0.000_2)));
    for subject in [&mut candidate, &mut champion] {
        let long = subject.position.iter().filter(|share| **share > 0.0).count() as f64;
        let long = long / market.closes.len().max(1) as f64;
        let shares = [("flat", 1.0 - long), ("long", long)];
        subject.actions =
            shares.map(|(action, share)| ActionShare { action: action.to_owned(), share }).to_vec();
        (subject.in_sample, subject.out_of_sample) = samples(market, &subject.metrics);
    }
    let held = Subject::of(Role::Baseline, &run(market, "buy_and_hold", |_, _| true));
    let flat = Subject::of(Role::Baseline, &run(market, "flat", |_, _| false));
    vec![candidate, champion, held, flat]
}

/// Invented figures of the bars before the hold-out, ten times as many, beside those of the judged ones.
fn samples(market: &Market, metrics: &Metrics) -> (Option<SampleFigures>, Option<SampleFigures>) {
    let Some(judged) = market.span() else { return (None, None) };
    let length = judged.end().millis_since(judged.start());
    let figures = |span: Window, times: f64| {
        let total_return = times * metrics.total_return.unwrap_or_default();
        SampleFigures {
            span,
            bars: market.closes.len() as u64 * span.end().millis_since(span.start()).unsigned_abs()
                / length.unsigned_abs().max(1),
            reward: total_return.abs(),
            net_pnl_quote: CASH * total_return,
            total_return: Some(total_return),
            sharpe: metrics.sharpe,
            trades: metrics.trades.unwrap_or(0),
        }
    };
    let before = Window::new(judged.start().plus_millis(-10 * length), judged.start()).ok();
    (before.map(|span| figures(span, 12.0)), Some(figures(judged, 1.0)))
}

/// Trades by `wants`, all or nothing, at the close on which it decided.
fn run(market: &Market, name: &str, wants: impl Fn(usize, bool) -> bool) -> EvaluationReport {
    let mut report = EvaluationReport {
        judged_span: market.span(),
        bar_close: market.times.clone(),
        ..EvaluationReport::without_figures(name, SuppliedBy::Backtest)
    };
    let (mut cash, mut units, mut entry, mut before) = (CASH, 0.0, None, CASH);
    for (bar, close) in market.closes.iter().enumerate() {
        let equity = cash + units * close;
        report.net_return.push(equity / before - 1.0);
        before = equity;
        report.position.push(if units > 0.0 { 1.0 } else { 0.0 });
        let wanted = wants(bar, units > 0.0);
        if wanted && units == 0.0 {
            units = cash / close * (1.0 - FEE);
            entry = Some((market.times[bar], cash));
            report.fills.push(fill(market.times[bar], Side::Buy, units, *close));
            cash = 0.0;
        } else if !wanted && units > 0.0 {
            cash = units * close * (1.0 - FEE);
            report.fills.push(fill(market.times[bar], Side::Sell, units, *close));
            units = 0.0;
            report.trades.extend(entry.take().map(|entry| trade(entry, market.times[bar], cash)));
        }
    }
    report.metrics = metrics(&report, market.bars_per_year);
    report
}

fn fill(time: Timestamp, side: Side, units: f64, price: f64) -> Fill {
    Fill {
        time,
        side,
        quantity: Quantity::from_units_towards_zero(units).unwrap_or_default(),
        price: Price::new(price).expect("a price"),
        fee_quantity: Quantity::ZERO,
        fee_cash: Cash::new(FEE * units * price).expect("an amount"),
    }
}

fn trade((opened_at, paid): (Timestamp, f64), closed_at: Timestamp, received: f64) -> TradeRecord {
    let pnl = received - paid;
    TradeRecord { opened_at, closed_at, entry_notional: paid, pnl, return_on_entry: pnl / paid }
}

fn metrics(report: &EvaluationReport, bars_per_year: f64) -> Metrics {
    let (bars, trades) = (report.net_return.len() as f64, report.trades.len() as f64);
    let mean = report.net_return.iter().sum::<f64>() / bars;
    let variance = report.net_return.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / bars;
    let (mut level, mut peak, mut deepest) = (1.0_f64, 1.0_f64, 0.0_f64);
    for value in &report.net_return {
        level *= 1.0 + value;
        peak = peak.max(level);
        deepest = deepest.max(1.0 - level / peak);
    }
    let of_trades = |sum: f64| (trades > 0.0).then(|| sum / trades);
    let sum = |value: fn(&TradeRecord) -> f64| report.trades.iter().map(value).sum::<f64>();
    Metrics {
        win_rate: of_trades(report.trades.iter().filter(|trade| trade.pnl > 0.0).count() as f64),
        max_drawdown: (bars > 0.0).then_some(deepest),
        pnl_per_trade: of_trades(sum(|trade| trade.return_on_entry)),
        pnl_per_trade_quote: of_trades(sum(|trade| trade.pnl)),
        trades: Some(report.trades.len() as u64),
        open_trades: Some((report.fills.len() % 2) as u64),
        total_return: (bars > 0.0).then_some(level - 1.0),
        sharpe: (variance > 0.0).then(|| mean / variance.sqrt() * bars_per_year.sqrt()),
        volatility: (bars > 0.0).then(|| variance.sqrt() * bars_per_year.sqrt()),
        exposure: (bars > 0.0).then(|| report.position.iter().sum::<f64>() / bars),
        turnover: (bars > 0.0).then(|| report.fills.len() as f64 / bars),
        fees_quote: Some(report.fills.iter().map(Fill::fee_in_quote).sum()),
        bars: Some(report.net_return.len() as u64),
        ..Metrics::default()
    }
}

fn verdict(id: &ModelId, metrics: &Metrics) -> Verdict {
    let check = |name: &str, measured, comparison, threshold, words: &str| {
        let holds = |value: f64| match comparison {
            Comparison::AtLeast => value >= threshold,
            Comparison::AtMost => value <= threshold,
        };
        let judgement = match measured {
            Some(value) if holds(value) => Judgement::Pass,
            _ => Judgement::Fail,
        };
        let shown = measured.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"));
        let sentence = format!("{name} is {shown}, and has to be {words} {threshold}");
        GateCheck { name: name.to_owned(), measured, comparison, threshold, judgement, sentence }
    };
    let checks = vec![
        check("winRate", metrics.win_rate, Comparison::AtLeast, 0.4, "at least"),
        check("maxDrawdown", metrics.max_drawdown, Comparison::AtMost, 0.2, "at most"),
        check("pnlPerTrade", metrics.pnl_per_trade, Comparison::AtLeast, 0.0, "at least"),
        check("unseenBars", metrics.bars.map(|bars| bars as f64), Comparison::AtLeast, 250.0, "at least"),
    ];
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| check.judgement == Judgement::Fail)
        .map(|check| check.sentence.as_str())
        .collect();
    let (outcome, reason, sentence) = match failed.is_empty() {
        true => (Outcome::Promote, None, format!("{id} may trade: every threshold holds")),
        false => {
            let sentence = format!("{id} may not trade: {}", failed.join("; "));
            (Outcome::Reject, Some("thresholds_failed".to_owned()), sentence)
        }
    };
    let warnings = vec![
        "the preset thresholds promotes 9 to 25 % of models without skill in each cycle: read the figures below before \
         trusting the verdict"
            .to_owned(),
    ];
    Verdict { preset: "thresholds".to_owned(), outcome, reason, sentence, checks, warnings, grading: None }
}

fn quality(market: &Market) -> QualityReport {
    let figures = QualityFigures {
        rows: 8_718,
        first_open_time: "2023-06-24T00:00:00Z".parse().ok(),
        last_open_time: market.times.last().map(|time| time.plus_millis(-HOUR_MS)),
        missing_bars: 26,
        longest_hole_bars: 9,
        zero_volume_bars: 41,
        flat_bars: 47,
        ..QualityFigures::default()
    };
    let first_open_time = "2021-06-27T00:00:00Z".parse().ok();
    let file = QualityFigures {
        rows: 26_241,
        first_open_time,
        duplicates: 3,
        out_of_order_rows: 2,
        ..figures.clone()
    };
    QualityReport { file: Some(file), window: figures }
}

fn gaps(bars: usize) -> Vec<GapStretch> {
    let kinds = |bars: usize, missing: usize| -> Vec<GapKind> {
        let kind = |bar: usize| match bar % 1_000 {
            _ if bar < missing => GapKind::Missing,
            500..506 => GapKind::NoTrade,
            700..703 => GapKind::Revised,
            _ => GapKind::Present,
        };
        (0..bars).map(kind).collect()
    };
    let stretch = |name: &str, bars, missing| GapStretch {
        name: name.to_owned(),
        counts: GapCounts::of(&kinds(bars, missing)),
    };
    vec![stretch("window", 8_760, 26), stretch("judged span", bars, bars / 200)]
}

fn ancestor(n: i64) -> Ancestor {
    Ancestor {
        id: model(n),
        parent: (n > 0).then(|| model(n - 1)),
        trained_until: format!("2024-0{}-01T00:00:00Z", n + 1).parse().expect("a time"),
        seed: 42 + n as u64,
        trainer: "ppo".to_owned(),
        status: if n == 2 { "rejected" } else { "promoted" }.to_owned(),
    }
}

fn training() -> TrainingOutcome {
    let metrics = [
        ("approx_kl", 0.008_71),
        ("clipfrac", 0.114),
        ("entropy", 0.6123),
        ("explained_variance", 0.4312),
        ("learning_rate", 0.000_06),
        ("mean_reward", 0.000_184),
    ];
    TrainingOutcome {
        trainer: "ppo".to_owned(),
        used_until: "2024-04-01T00:00:00Z".parse().expect("a time"),
        iterations: 120,
        environment_steps: 1_966_080,
        metrics: metrics
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<BTreeMap<_, _>>(),
        instruction_set: Some("avx2".to_owned()),
        cold_start: None,
    }
}

fn provenance(market: &Market, id: &ModelId) -> Provenance {
    let window = |end: Timestamp| Window::new(end.plus_millis(-8_760 * HOUR_MS), end).ok();
    Provenance {
        run_id: id.as_str().strip_prefix("model-").and_then(|run| run.parse().ok()),
        created_at: market.times.last().copied(),
        origin: Some("btc-usd-1h.csv".to_owned()),
        as_of: market.times.last().copied(),
        window: market.times.last().copied().and_then(window),
        split: market.span().map(|span| span.start()),
        lineage_until: market.span().map(|span| span.start()),
        seed: Some(45),
        dataset_hash: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned()),
        sha256: Some("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned()),
        code_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    }
}
