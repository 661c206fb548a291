//! The random numbers of resampling.

/// Steele, Lea and Flood's SplitMix64 (2014): a counter through a mixing function. It is the whole source of
/// randomness in this crate; its seed is handed in.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

/// `2^64 / golden ratio`, made odd: the step of the counter.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The generator for draw number `index` under `seed`. It depends on the two alone, so that draws can be added
    /// or shared among threads without changing the others.
    pub(crate) fn stream(seed: u64, index: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(STEP)) ^ index.wrapping_mul(STEP)))
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// Uniform in (0, 1], with 53 bits.
    pub(crate) fn above_zero(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform in `0..n`, for `n` far below 2^64 (the bias is `n / 2^64`).
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

fn mix(counter: u64) -> u64 {
    let z = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix64(1_234_567);
        let published = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.bits(), random.bits(), random.bits()], published);
    }

    #[test]
    fn numbers_stay_in_their_range_and_fill_it() {
        let mut random = SplitMix64::stream(7, 0);
        let mut counts = [0_u32; 10];
        let mut total = 0.0;
        for _ in 0..100_000 {
            counts[random.below(10)] += 1;
            let uniform = random.above_zero();
            assert!(uniform > 0.0 && uniform <= 1.0);
            total += uniform;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert!((total / 100_000.0 - 0.5).abs() < 0.005);
    }

    #[test]
    fn streams_differ_by_seed_and_by_index() {
        let first = |seed, index| SplitMix64::stream(seed, index).bits();
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_eq!(first(1, 1), first(1, 1));
    }
}
