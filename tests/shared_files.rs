//! One whole run on each of the real bar files, and their defects in its quality report.

use serde_json::Value;

use crate::support::{World, shared_data};

/// What a file is known to hold: rows, duplicates, missing bars, longest hole, zero-volume bars, flat bars.
struct Known {
    file: &'static str,
    args: &'static [&'static str],
    figures: [u64; 6],
}

const FILES: [Known; 7] = [
    Known { file: "Coinbase_BTCUSD_1h.csv", args: &[], figures: [20_111, 0, 0, 0, 28, 30] },
    Known {
        file: "Coinbase_ETHUSD_1h.csv",
        args: &["--symbol", "ETH/USD"],
        figures: [16_863, 0, 0, 0, 9, 10],
    },
    Known {
        file: "Coinbase_BTCUSD_d.csv",
        args: &["--window-bars", "1200", "--holdout-bars", "300"],
        figures: [1_770, 0, 12, 12, 38, 37],
    },
    Known { file: "BTCUSDT_1h.csv.gz", args: &["--symbol", "BTC/USDT"], figures: [37_660, 0, 0, 0, 0, 0] },
    Known { file: "ETHUSDT_1h.csv.gz", args: &["--symbol", "ETH/USDT"], figures: [37_660, 0, 0, 0, 0, 0] },
    Known {
        file: "bitfinex_BTCUSD_1m_2019.csv.gz",
        args: &["--columns", "time,open,close,high,low,volume"],
        figures: [512_727, 0, 12_873, 197, 0, 55_195],
    },
    Known { file: "btc-perp-20211231-20220201_1m.csv.gz", args: &[], figures: [45_031, 0, 0, 0, 0, 5] },
];

#[test]
fn a_run_on_each_real_file_ends_in_a_verdict_and_knows_its_defects_shared_data() {
    let Some(shared) =
        shared_data("a_run_on_each_real_file_ends_in_a_verdict_and_knows_its_defects_shared_data")
    else {
        return;
    };
    for known in &FILES {
        let world = World::new();
        let path = shared.join("data").join(known.file).display().to_string();
        let args = [&["--once", "--json", "--iterations", "1", "--path", &path], known.args].concat();
        let report = world.orchestrate(&args, &[]).expect_code(0).json();
        let run = report["runId"].as_str().unwrap();
        let etl = world.read_json(&format!("data/etl/etl-{run}.json"));
        let file = &etl["quality"]["file"];
        let figure = |name: &str| file[name].as_u64().unwrap_or_else(|| panic!("no {name} in {file}"));
        let found = [
            figure("rows"),
            figure("duplicates"),
            figure("missing_bars"),
            figure("longest_hole_bars"),
            figure("zero_volume_bars"),
            figure("flat_bars"),
        ];
        assert_eq!(found, known.figures, "{}", known.file);
        assert!(
            ["promoted", "rejected", "inconclusive"].map(Value::from).contains(&report["outcome"]),
            "{report}"
        );
    }
}
