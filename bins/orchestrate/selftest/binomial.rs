//! Chances of counts, exactly.

/// Halvings of an interval of rates.
const HALVINGS: u32 = 60;

/// Chance of `least` or more successes in `trials` at `rate`: the sum of the binomial's terms, each from the one before it.
pub(super) fn tail(trials: u64, least: u64, rate: f64) -> f64 {
    if least == 0 || rate >= 1.0 {
        return f64::from(u8::from(least <= trials));
    }
    if rate <= 0.0 || least > trials {
        return 0.0;
    }
    let ln_choose: f64 = (1..=least).map(|k| (((trials - least + k) as f64) / k as f64).ln()).sum();
    let ln_first = ln_choose + least as f64 * rate.ln() + (trials - least) as f64 * (-rate).ln_1p();
    let odds = rate / (1.0 - rate);
    let next = |(term, k): (f64, u64)| (term * odds * (trials - k) as f64 / (k + 1) as f64, k + 1);
    let terms = std::iter::successors(Some((ln_first.exp(), least)), |it| (it.1 < trials).then(|| next(*it)));
    terms.map(|(term, _)| term).sum::<f64>().min(1.0)
}

/// The smallest count of successes in `trials` whose [`tail`] at `rate` is below `level`; none where even the largest is
/// too likely.
pub(super) fn least_unlikely(trials: u64, rate: f64, level: f64) -> Option<u64> {
    (1..=trials).find(|least| tail(trials, *least, rate) < level)
}

/// The rate at which `least` or more successes in `trials` have a chance of `chance`; `least` is 1 to `trials`.
pub(super) fn rate_of(trials: u64, least: u64, chance: f64) -> f64 {
    let (mut below, mut above) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (below + above);
        if tail(trials, least, middle) < chance { below = middle } else { above = middle }
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_the_binomial() {
        let close = |(trials, least, rate): (u64, u64, f64), expected: f64| {
            let tail = tail(trials, least, rate);
            assert!((tail - expected).abs() < 1e-12 * expected.max(1e-3), "{trials} {least} {rate}: {tail}");
        };
        close((10, 0, 0.5), 1.0);
        close((10, 10, 0.5), 1.0 / 1_024.0);
        close((10, 9, 0.5), 11.0 / 1_024.0);
        close((10, 1, 0.5), 1_023.0 / 1_024.0);
        close((3, 2, 0.1), 0.028);
        close((4, 5, 0.9), 0.0);
        close((4, 5, 1.0), 0.0);
        close((4, 1, 0.0), 0.0);
        close((4, 4, 1.0), 1.0);
        assert!(tail(1_000, 990, 0.01) >= 0.0);
        assert!((tail(1_000, 1, 1e-6) - 9.995_006_663e-4).abs() < 1e-9);
    }

    #[test]
    fn a_count_is_unlikely_from_where_its_tail_is() {
        // Of ten fair throws nine and more come 11 times in 1,024, ten once.
        assert_eq!(least_unlikely(10, 0.5, 0.01), Some(10));
        assert_eq!(least_unlikely(10, 0.5, 0.011), Some(9));
        assert_eq!(least_unlikely(10, 0.0, 0.01), Some(1));
        assert_eq!([least_unlikely(2, 0.5, 0.01), least_unlikely(0, 0.5, 0.01)], [None, None]);
    }

    #[test]
    fn a_rate_gives_its_chance() {
        // One of so many is missed with (1 - rate)^trials.
        assert!((rate_of(24, 1, 0.8) - (1.0 - 0.2_f64.powf(1.0 / 24.0))).abs() < 1e-12);
        for (trials, least) in [(24, 6), (200, 21), (1_000, 77)] {
            let rate = rate_of(trials, least, 0.8);
            assert!((tail(trials, least, rate) - 0.8).abs() < 1e-9, "{trials} {least}: {rate}");
        }
    }
}
