//! Same inputs, same bits.

use std::fmt::Write as _;

use walkforward_core::BarRequest;

use crate::support::World;

const AS_OF: &[&str] = &["--as-of", "2023-06-01T00:00:00Z"];

fn trained(args: &[&str]) -> [Vec<u8>; 2] {
    let world = World::new();
    let report = world.once(&[AS_OF, args].concat(), &[]).expect_code(0).json();
    let model = report["modelId"].as_str().unwrap();
    ["policy.safetensors", "optimizer.safetensors"]
        .map(|file| std::fs::read(world.path(&format!("models/{model}/{file}"))).unwrap())
}

#[test]
fn the_same_seed_and_bars_make_the_same_bytes() {
    let first = trained(&[]);
    assert!(first == trained(&[]), "two runs from empty folders differ");
    assert!(first == trained(&["--threads", "2"]), "the number of threads changes the result");
    assert!(first[0] != trained(&["--seed", "8"])[0], "the seed changes nothing");
}

#[test]
fn bars_of_the_hold_out_change_no_weight() {
    let world = World::new();
    let source = walkforward_etl::SyntheticSource::new(3);
    let csv = |changed: bool| {
        let mut text = "time,open,high,low,close,volume\n".to_owned();
        let symbol = "BTC/USD".parse().unwrap();
        let bars = source.read(&BarRequest::new(symbol, 2_000)).unwrap().bars;
        let hour = bars.timeframe();
        let split = bars.last_close_time().unwrap().plus_millis(-300 * hour.millis());
        for bar in bars.iter() {
            let scale = if changed && bar.open_time() >= split { 0.5 } else { 1.0 };
            let [open, high, low, close] =
                [bar.open(), bar.high(), bar.low(), bar.close()].map(|it| it * scale);
            writeln!(text, "{},{open},{high},{low},{close},{}", bar.open_time(), bar.volume()).unwrap();
        }
        text
    };
    let weights = |name: &str, changed: bool| {
        let file = world.file(name, csv(changed));
        let folder = world.path(&format!("models-{name}")).display().to_string();
        let report = world.once(&["--path", &file, "--models-dir", &folder], &[]).expect_code(0).json();
        report["sha256"].clone()
    };
    assert_eq!(weights("as_it_was.csv", false), weights("changed.csv", true));
}
