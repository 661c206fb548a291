//! What a gate reads against vectors that other implementations computed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::Path;

use serde::Deserialize;
use walkforward_stats::{
    BlockBootstrap, BlockLength, BlockScheme, CurtailedObrienFleming, EProcess, EProcessSettings,
    Qualification, ReturnMatrix, expected_max_z, overfitting_probability, superior_ability,
};

#[derive(Deserialize)]
struct Gates {
    expected_max_z: Vec<ExpectedMax>,
    pbo: Vec<PboVector>,
    block_length: Vec<BlockVector>,
    sequential: Vec<SequentialVector>,
    spa: Vec<SpaVector>,
}

#[derive(Deserialize)]
struct ExpectedMax {
    n: usize,
    z: f64,
}

#[derive(Deserialize)]
struct PboVector {
    #[serde(rename = "N")]
    trials: usize,
    #[serde(rename = "S")]
    blocks: usize,
    n_splits: usize,
    returns: Vec<Vec<f64>>,
    expected: PboExpected,
}

#[derive(Deserialize)]
struct PboExpected {
    pbo: f64,
    logit_mean: f64,
    logit_median: f64,
    logit_min: f64,
    logit_max: f64,
}

#[derive(Deserialize)]
struct BlockVector {
    series: Vec<f64>,
    expected: BlockExpected,
}

#[derive(Deserialize)]
struct BlockExpected {
    stationary: f64,
    circular: f64,
}

#[derive(Deserialize)]
struct SequentialVector {
    d: Vec<f64>,
    sigma0: f64,
    bound: f64,
    target_sharpes: Vec<f64>,
    periods_per_year: f64,
    ewma: f64,
    horizon: usize,
    expected: SequentialExpected,
}

#[derive(Deserialize)]
struct SequentialExpected {
    index: Vec<usize>,
    log_e: Vec<f64>,
    max_log_e: f64,
    obf_stat: Vec<f64>,
    obf_boundary_one_sided_05: f64,
}

#[derive(Deserialize)]
struct SpaVector {
    k: usize,
    block: f64,
    returns: Vec<Vec<f64>>,
    expected: SpaExpected,
    tolerance_abs: f64,
}

#[derive(Deserialize)]
struct SpaExpected {
    lower: f64,
    consistent: f64,
    upper: f64,
}

/// The golden file, `None` where the folder of shared data is absent.
fn gates(test: &str) -> Option<Gates> {
    eprintln!("shared data test: {test}");
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    if !shared.exists() {
        eprintln!("skipped: the folder of shared data is absent");
        return None;
    }
    let text = std::fs::read_to_string(shared.join("goldens/metrics/gates.json")).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

#[track_caller]
fn assert_close(field: &str, actual: f64, expected: f64) {
    let tolerance = (1e-9 * expected.abs()).max(1e-12);
    assert!((actual - expected).abs() <= tolerance, "{field} is {actual}, expected {expected}");
}

#[test]
fn the_expected_maximum_agrees_with_the_goldens_shared_data() {
    let Some(gates) = gates("the_expected_maximum_agrees_with_the_goldens_shared_data") else { return };
    assert!(!gates.expected_max_z.is_empty());
    for vector in gates.expected_max_z {
        assert_close(&format!("z({})", vector.n), expected_max_z(vector.n), vector.z);
    }
}

#[test]
fn the_overfitting_probability_agrees_with_the_goldens_shared_data() {
    let Some(gates) = gates("the_overfitting_probability_agrees_with_the_goldens_shared_data") else {
        return;
    };
    assert!(!gates.pbo.is_empty());
    for vector in gates.pbo {
        let values = vector.returns.concat();
        let matrix = ReturnMatrix::new(&values, vector.trials).unwrap();
        let found = overfitting_probability(&matrix, vector.blocks).unwrap().unwrap();
        assert_eq!(found.n_splits, vector.n_splits);
        assert_close("pbo", found.probability, vector.expected.pbo);
        assert_close("logit_mean", found.logit_mean, vector.expected.logit_mean);
        assert_close("logit_median", found.logit_median, vector.expected.logit_median);
        assert_close("logit_min", found.logit_min, vector.expected.logit_min);
        assert_close("logit_max", found.logit_max, vector.expected.logit_max);
    }
}

#[test]
fn the_block_length_agrees_with_the_goldens_shared_data() {
    let Some(gates) = gates("the_block_length_agrees_with_the_goldens_shared_data") else { return };
    assert!(!gates.block_length.is_empty());
    for vector in gates.block_length {
        let found = BlockLength::of(&vector.series).unwrap();
        assert_close("stationary", found.stationary, vector.expected.stationary);
        assert_close("circular", found.circular, vector.expected.circular);
    }
}

#[test]
fn the_e_process_agrees_with_the_goldens_shared_data() {
    let Some(gates) = gates("the_e_process_agrees_with_the_goldens_shared_data") else { return };
    assert!(!gates.sequential.is_empty());
    for vector in gates.sequential {
        let settings = EProcessSettings {
            target_sharpes: vector.target_sharpes,
            periods_per_year: vector.periods_per_year,
            initial_deviation: vector.sigma0,
            bound: vector.bound,
            variance_decay: vector.ewma,
        };
        let mut process = EProcess::new(settings).unwrap();
        let log_e: Vec<f64> = vector.d.iter().map(|d| process.push(*d).unwrap()).collect();
        for (index, expected) in vector.expected.index.iter().zip(&vector.expected.log_e) {
            assert_close(&format!("log_e[{index}]"), log_e[*index], *expected);
        }
        assert_close("max_log_e", process.max_log_e(), vector.expected.max_log_e);
    }
}

#[test]
fn the_obrien_fleming_statistic_agrees_with_the_goldens_shared_data() {
    let Some(gates) = gates("the_obrien_fleming_statistic_agrees_with_the_goldens_shared_data") else {
        return;
    };
    assert!(!gates.sequential.is_empty());
    for vector in gates.sequential {
        let mut test = CurtailedObrienFleming::hourly(vector.horizon, 0.05).unwrap();
        let mut statistics = Vec::new();
        for d in &vector.d {
            assert_eq!(test.push(*d).unwrap(), Qualification::Open);
            statistics.push(test.statistic().unwrap());
        }
        for (index, expected) in vector.expected.index.iter().zip(&vector.expected.obf_stat) {
            assert_close(&format!("obf_stat[{index}]"), statistics[*index], *expected);
        }
        assert_close("boundary", test.boundary(), vector.expected.obf_boundary_one_sided_05);
    }
}

#[test]
fn the_superior_ability_agrees_with_the_goldens_shared_data() {
    let Some(gates) = gates("the_superior_ability_agrees_with_the_goldens_shared_data") else { return };
    assert!(!gates.spa.is_empty());
    for vector in gates.spa {
        let values = vector.returns.concat();
        let matrix = ReturnMatrix::new(&values, vector.k).unwrap();
        let scheme = BlockScheme::Stationary;
        let bootstrap = BlockBootstrap { scheme, mean_block: vector.block, resamples: 20_000, seed: 1 };
        let found = superior_ability(&matrix, &bootstrap).unwrap();
        let pairs = [
            ("lower", found.lower, vector.expected.lower),
            ("consistent", found.consistent, vector.expected.consistent),
            ("upper", found.upper, vector.expected.upper),
        ];
        for (field, actual, expected) in pairs {
            let agrees = (actual - expected).abs() <= vector.tolerance_abs;
            assert!(agrees, "{field} is {actual}, expected {expected}");
        }
    }
}
