//! Fuzzing on stable Rust: seeded mutations of a corpus, for a bounded time.
//!
//! A reader that takes bytes from outside is handed damaged copies of good inputs until the time is over. Included
//! by `#[path]` from the tests of the crates that read such bytes.
//!
//! `WALKFORWARD_FUZZ_SECONDS` says how long each target runs (2 by default), `WALKFORWARD_FUZZ_SEED` where it begins.
//! A run that fails prints its seed, the number of the input and the input itself; the same seed makes the same
//! inputs again:
//!
//! ```text
//! WALKFORWARD_FUZZ_SECONDS=600 WALKFORWARD_FUZZ_SEED=7 cargo test --release -p walkforward-alpaca --test fuzz
//! ```

use std::time::{Duration, Instant};

/// Longest input that is made, in bytes.
const MAX_INPUT_BYTES: usize = 64 * 1024;
/// How long a target runs when nothing else is said.
const DEFAULT_SECONDS: f64 = 2.0;
/// Mutations on top of each other in one input.
const MAX_MUTATIONS: u64 = 8;
/// Longest piece that is cut, doubled or spliced in, in bytes.
const MAX_PIECE_BYTES: u64 = 512;
/// By how much the process may grow while a target runs. Inputs have at most 64 KiB, so this is a thousand times that.
const MAX_GROWTH_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a failing input that are printed.
const SHOWN_BYTES: usize = 2_000;

/// Texts that readers stumble over: numbers at the ends of their range, times that are none, structure.
const TEXTS: [&[u8]; 40] = [
    b"0",
    b"-0",
    b"-1",
    b"1e308",
    b"1e309",
    b"-1e-400",
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b"\"\"",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"340282366920938463463374607431768211456",
    b"0.1e",
    b"1.",
    b".5",
    b"0000000000000000000000000000000001",
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:60Z",
    b"2024-02-30T00:00:00Z",
    b"2024-01-01T24:00:00Z",
    b"-9999-01-01T00:00:00+23:59",
    b"1969-12-31T23:59:59.999999999Z",
    b"{",
    b"}",
    b"[[[[[[[[[[[[[[[[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
];

/// Hands `check` mutations of `corpus` until the time is over, the corpus itself first, and gives their number.
/// `check` panics when the reader does what it must not.
///
/// # Panics
/// When `check` does, when the corpus is empty, or when the process grew by more than 64 MiB meanwhile.
pub(crate) fn fuzz(corpus: &[Vec<u8>], mut check: impl FnMut(&[u8])) -> u64 {
    assert!(!corpus.is_empty(), "mutations need something to start from");
    for input in corpus {
        checked(0, 0, input, &mut check);
    }
    let seed = setting("WALKFORWARD_FUZZ_SEED").unwrap_or(1.0) as u64;
    let limit = Duration::from_secs_f64(setting("WALKFORWARD_FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS));
    let (started, peak_before) = (now(), peak_memory_bytes());
    let mut number = 0;
    while started.elapsed() < limit {
        number += 1;
        let mut random = Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number));
        let input = mutated(corpus, &mut random);
        checked(seed, number, &input, &mut check);
    }
    let growth = peak_memory_bytes().saturating_sub(peak_before);
    assert!(growth <= MAX_GROWTH_BYTES, "the process grew by {growth} bytes, more than {MAX_GROWTH_BYTES}");
    number
}

/// A damaged copy of one of `corpus`.
fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = random.pick(corpus).clone();
    for _ in 0..=random.below(MAX_MUTATIONS) {
        mutate(&mut input, corpus, random);
        input.truncate(MAX_INPUT_BYTES);
    }
    input
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() as u64 + 1) as usize;
    let piece = random.below(MAX_PIECE_BYTES) as usize;
    let end = (at + piece).min(input.len());
    match random.below(9) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.below(256) as u8,
        2 => input.truncate(at),
        3 => drop(input.drain(at..end)),
        4 => {
            let piece = input[at..end].to_vec();
            input.splice(at..at, piece);
        }
        5 => {
            let other = random.pick(corpus);
            let from = random.below(other.len() as u64 + 1) as usize;
            let to = (from + piece).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        6 => replace_number(input, at, random),
        7 => {
            let end = at + random.below(3).min((input.len() - at) as u64) as usize;
            input.splice(at..end, random.pick(&TEXTS).iter().copied());
        }
        _ => {
            let times = random.below(64) as usize;
            let byte = input.get(at).copied().unwrap_or(b' ');
            input.splice(at..at, std::iter::repeat_n(byte, times));
        }
    }
}

/// Puts one of [`TEXTS`] in place of the first number after `at`.
fn replace_number(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e');
    let Some(from) = input[at..].iter().position(is_number).map(|offset| at + offset) else { return };
    let length = input[from..].iter().take_while(|byte| is_number(byte)).count();
    input.splice(from..from + length, random.pick(&TEXTS).iter().copied());
}

/// Runs `check` and prints the input when it panics.
fn checked(seed: u64, number: u64, input: &[u8], check: &mut impl FnMut(&[u8])) {
    struct Failing<'a>(u64, u64, &'a [u8]);
    impl Drop for Failing<'_> {
        #[expect(clippy::print_stderr, reason = "a failing input has to be seen to be repeated")]
        fn drop(&mut self) {
            if std::thread::panicking() {
                let shown = String::from_utf8_lossy(&self.2[..self.2.len().min(SHOWN_BYTES)]);
                eprintln!("seed {} input {} of {} bytes: {shown:?}", self.0, self.1, self.2.len());
            }
        }
    }
    let _failing = Failing(seed, number, input);
    check(input);
}

/// Most memory that the process has held, in bytes; 0 where the system doesn't tell.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[expect(clippy::disallowed_methods, reason = "how long a test fuzzes is set from outside")]
fn setting(name: &str) -> Option<f64> {
    let value = std::env::var(name).ok()?.parse::<f64>().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[expect(clippy::disallowed_methods, reason = "a test that runs for a time has to know it")]
fn now() -> Instant {
    Instant::now()
}

/// SplitMix64: small, seeded, good enough to choose mutations.
struct Random(u64);

impl Random {
    /// The generator of `seed`.
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, 0 for a bound of 0.
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.bits() % bound }
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}
