//! Whatever a report holds, its page is well-formed and holds its texts as texts.

use proptest::collection::vec;
use proptest::prelude::*;
use walkforward_core::{
    Cash, EvaluationWarning, Fill, Metrics, Price, Quantity, SampleFigures, Side, Timestamp, TradeRecord,
    Window,
};
use walkforward_report::{ActionShare, ModelReport, Role, Subject, html};

use crate::data::sample;
use crate::well_formed::text_of;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[<>&\"'a-z/=! ]{0,40}", Just("</style></script><!--]]>".to_owned())]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        -10.0..10.0_f64,
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(0.0),
        Just(1e-300),
        Just(f64::MAX)
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let near = 1_700_000_000_000..1_701_000_000_000_i64;
    prop_oneof![near, -62_167_219_200_000..=253_402_300_799_999_i64]
        .prop_map(|ms| Timestamp::from_millis(ms).unwrap())
}

fn fill() -> impl Strategy<Value = Fill> {
    (time(), any::<bool>(), any::<i64>(), 1e-9..1e13_f64).prop_map(|(time, buys, nanos, price)| Fill {
        time,
        side: if buys { Side::Buy } else { Side::Sell },
        quantity: Quantity::from_nanos(nanos),
        price: Price::new(price).unwrap(),
        fee_quantity: Quantity::ZERO,
        fee_cash: Cash::default(),
    })
}

fn trade() -> impl Strategy<Value = TradeRecord> {
    (time(), time(), number(), number(), number()).prop_map(
        |(opened_at, closed_at, entry_notional, pnl, return_on_entry)| TradeRecord {
            opened_at,
            closed_at,
            entry_notional,
            pnl,
            return_on_entry,
        },
    )
}

fn metrics() -> impl Strategy<Value = Metrics> {
    vec(proptest::option::of(number()), 6).prop_map(|values| Metrics {
        total_return: values[0],
        max_drawdown: values[1],
        sharpe: values[2],
        win_rate: values[3],
        pnl_per_trade: values[4],
        exposure: values[5],
        ..Metrics::default()
    })
}

fn sample_figures() -> impl Strategy<Value = SampleFigures> {
    let sums = (number(), number(), proptest::option::of(number()), proptest::option::of(number()));
    (any::<u64>(), sums, any::<u64>(), 1..1_000_000_000_000_i64).prop_map(
        |(bars, (reward, net_pnl_quote, total_return, sharpe), trades, length)| SampleFigures {
            span: Window::new(Timestamp::EPOCH, Timestamp::EPOCH.plus_millis(length)).unwrap(),
            bars,
            reward,
            net_pnl_quote,
            total_return,
            sharpe,
            trades,
        },
    )
}

fn subject() -> impl Strategy<Value = Subject> {
    let role = prop_oneof![Just(Role::Candidate), Just(Role::Champion), Just(Role::Baseline)];
    let names = (role, text(), vec(text(), 0..3), metrics());
    let series = (vec((time(), number()), 0..60), vec((time(), number()), 0..60));
    let dealings = (vec(fill(), 0..20), vec(trade(), 0..20), vec((text(), number()), 0..4));
    let samples = (proptest::option::of(sample_figures()), vec((text(), text()), 0..3));
    (names, series, dealings, samples).prop_map(
        |(
            (role, name, problems, metrics),
            (equity, position),
            (fills, mut trades, actions),
            (in_sample, warnings),
        )| {
            // Some trades belong to fills, as they should.
            for (trade, pair) in trades.iter_mut().zip(fills.chunks_exact(2)) {
                (trade.opened_at, trade.closed_at) = (pair[0].time, pair[1].time);
            }
            let (equity_times, equity) = equity.into_iter().unzip();
            let (position_times, position) = position.into_iter().unzip();
            let actions = actions.into_iter().map(|(action, share)| ActionShare { action, share }).collect();
            let warnings = warnings.into_iter().map(|(name, sentence)| EvaluationWarning { name, sentence });
            let supplied_by = walkforward_core::SuppliedBy::Backtest;
            Subject {
                role,
                name,
                metrics,
                supplied_by,
                problems,
                equity_times,
                equity,
                position_times,
                position,
                trades,
                fills,
                actions,
                out_of_sample: in_sample.clone(),
                in_sample,
                warnings: warnings.collect(),
            }
        },
    )
}

fn report() -> impl Strategy<Value = ModelReport> {
    let bars = vec((time(), number()), 0..60);
    (text(), text(), vec(text(), 0..3), vec(subject(), 0..5), bars, text()).prop_map(
        |(title, sentence, warnings, subjects, bars, key)| {
            let mut report = sample(2, 60, 1);
            report.title = title;
            report.warnings = warnings;
            report.subjects = subjects;
            (report.bars.close_times, report.bars.closes) = bars.into_iter().unzip();
            if let Some(verdict) = &mut report.verdict {
                verdict.sentence = sentence;
            }
            report.settings = serde_json::json!({ key.clone(): key });
            report
        },
    )
}

/// `text` as the page has to hold it: characters that a page can't hold are replaced.
fn shown(text: &str) -> String {
    let is_plain = |char: &char| {
        !char.is_control()
            && !matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    text.chars()
        .map(|char| if is_plain(&char) || matches!(char, '\n' | '\t') { char } else { '\u{fffd}' })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_report_makes_a_well_formed_page(report in report()) {
        let page = html(&report);
        let text = text_of(&page).map_err(TestCaseError::fail)?;
        prop_assert!(text.contains(&shown(&report.title)));
        for warning in &report.warnings {
            prop_assert!(text.contains(&shown(warning)));
        }
        prop_assert_eq!(page.matches("<script").count(), 1);
        for none in ["=\"NaN", "=\"inf", "=\"-inf"] {
            let around = page.find(none).map(|at| page[..at + 9].chars().rev().take(200).collect::<String>());
            prop_assert_eq!(around.map(|text| text.chars().rev().collect::<String>()), None);
        }
        let paths = page.split(" d=\"").skip(1).map(|path| path.split('"').next().unwrap_or_default());
        for path in paths {
            prop_assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
        }
        prop_assert_eq!(html(&report), page);
    }
}
