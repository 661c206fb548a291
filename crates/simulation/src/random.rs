//! Streams of random numbers for each world.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of randomness in one world.
pub(crate) type WorldRng = ChaCha8Rng;

/// Sources of a world: the market, the refreshes, and the arms and anchors of a line.
const SOURCES: u64 = 1 << 16;
const MARKET: u64 = 0;
const REFRESHES: u64 = 1;
const FIRST_ARM: u64 = 2;

/// The numbers of the market, and of those who trade in it, in world `world` under `seed`. They depend on the two
/// alone, whichever thread asks first.
pub(crate) fn world(seed: u64, world: u64) -> WorldRng {
    stream(seed, world, MARKET)
}

/// The numbers of the refreshes in that world.
pub(crate) fn refreshes(seed: u64, world: u64) -> WorldRng {
    stream(seed, world, REFRESHES)
}

/// The numbers that arm or anchor `arm` draws for itself in that world.
pub(crate) fn arm(seed: u64, world: u64, arm: u64) -> WorldRng {
    stream(seed, world, FIRST_ARM + arm)
}

fn stream(seed: u64, world: u64, source: u64) -> WorldRng {
    let mut rng = WorldRng::seed_from_u64(seed);
    rng.set_stream(world.wrapping_mul(SOURCES).wrapping_add(source));
    rng
}

/// Whether what happens with probability `chance` happens.
pub(crate) fn happens(rng: &mut WorldRng, chance: f64) -> bool {
    rng.random::<f64>() < chance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_sources_and_seeds_have_numbers_of_their_own() {
        let sources = [world(1, 0), world(1, 1), world(2, 0), refreshes(1, 0), arm(1, 0, 0), arm(1, 0, 1)];
        let first: std::collections::BTreeSet<u64> =
            sources.map(|mut rng| rng.random()).into_iter().collect();
        assert_eq!(first.len(), 6);
        assert_eq!(world(1, 7).random::<u64>(), world(1, 7).random::<u64>());
    }
}
