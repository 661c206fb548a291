//! A full page of the Alpaca service, from its bytes to bars.

use std::hint::black_box;

use walkforward_alpaca::{Page, parse_page};

use crate::process::{peak_rss_mib, process_cpu_seconds};

/// Bars of the page: the most that the service gives.
const BARS: u64 = 10_000;
/// Processor time of one measurement, in seconds; the clock has steps of a hundredth.
const SECONDS: f64 = 1.0;
/// Measurements, of which the fastest counts.
const RUNS: usize = 3;

/// A JSON line: bars parsed in a second of processor time.
///
/// `benches/etl_peers.py` makes the same page; `bytes` and `checksum`, the sum of the closes, tell whether it did.
pub(crate) fn run() -> Vec<String> {
    let body = page_body();
    let parse = || parse_page(body.as_bytes()).expect("a page");
    let rate = (0..RUNS).map(|_| bars_per_cpu_second(parse)).fold(0.0, f64::max);
    let checksum: f64 = parse().bars[0].1.iter().map(|bar| bar.close).sum();
    vec![format!(
        "{{\"name\": \"page\", \"bars\": {BARS}, \"bytes\": {}, \"bars_per_cpu_s\": {rate:.0}, \
         \"peak_rss_mib\": {:.0}, \"checksum\": {checksum:.2}}}",
        body.len(),
        peak_rss_mib(),
    )]
}

fn bars_per_cpu_second(parse: impl Fn() -> Page) -> f64 {
    let (start, mut bars) = (process_cpu_seconds(), 0);
    loop {
        bars += black_box(parse()).bars[0].1.len();
        let seconds = process_cpu_seconds() - start;
        if seconds >= SECONDS {
            return bars as f64 / seconds;
        }
    }
}

/// The page: minutes of BTC/USD with as many digits as the service gives. Whole numbers are formatted, so that every
/// language writes the same bytes.
fn page_body() -> String {
    let mut bars = Vec::new();
    let mut cents = 4_228_358_u64;
    for index in 0..BARS {
        let [step, high, low, volume] = [0, 1, 2, 3].map(|purpose| bits(index, purpose));
        let open = cents;
        cents = cents - 1_000 + step % 2_001;
        let (top, bottom) = (open.max(cents) + high % 500, open.min(cents) - low % 500);
        let mean = (top + bottom) / 2;
        let decimal = |number: u64, digits: u32| {
            let unit = 10_u64.pow(digits);
            format!("{}.{:0width$}", number / unit, number % unit, width = digits as usize)
        };
        bars.push(format!(
            "{{\"t\":\"2024-01-{:02}T{:02}:{:02}:00Z\",\"o\":{},\"h\":{},\"l\":{},\"c\":{},\"v\":{},\"n\":{},\"vw\":{}}}",
            1 + index / 1_440,
            index / 60 % 24,
            index % 60,
            decimal(open, 2),
            decimal(top, 2),
            decimal(bottom, 2),
            decimal(cents, 2),
            decimal(volume % 20_000_000_000, 9),
            volume % 300,
            decimal(mean * 100_000_000 + volume % 100_000_000, 10),
        ));
    }
    format!("{{\"bars\":{{\"BTC/USD\":[{}]}},\"next_page_token\":null}}", bars.join(","))
}

/// SplitMix64 of a counter, for each (bar, purpose).
fn bits(index: u64, purpose: u64) -> u64 {
    let mut bits = (index * 4 + purpose + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
