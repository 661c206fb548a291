//! Worlds side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::SimulationError;

/// How many worlds a study has and how they are run.
#[derive(Clone, Copy)]
pub struct Worlds<'a> {
    /// How many, 1 to [`Worlds::MOST`].
    pub count: usize,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Threads, at least 1; the result does not depend on them.
    pub threads: usize,
    /// Called after each world, from any thread.
    pub on_world: &'a (dyn Fn() + Sync),
}

impl Worlds<'_> {
    /// More worlds give no more digits that mean anything.
    pub const MOST: usize = 1_000_000;

    /// `count` worlds on one thread.
    pub fn new(count: usize, seed: u64) -> Self {
        Self { count, seed, threads: 1, on_world: &|| () }
    }

    /// What `run` makes of each world, in their order, or the first world's error.
    pub(crate) fn each<T: Send>(
        &self,
        run: impl Fn(u64) -> Result<T, SimulationError> + Sync,
    ) -> Result<Vec<T>, SimulationError> {
        if !(1..=Self::MOST).contains(&self.count) {
            let value = self.count as f64;
            return Err(SimulationError::Setting { name: "worlds", value, expected: "1 to 1000000" });
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let world = next.fetch_add(1, Ordering::Relaxed);
                if world >= self.count {
                    return done;
                }
                done.push((world, run(world as u64)));
                (self.on_world)();
            }
        };
        let mut done: Vec<_> = thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads.min(self.count)).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        done.sort_by_key(|(world, _)| *world);
        done.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_come_in_their_order_whoever_runs_them() {
        for threads in [1, 2, 7] {
            let worlds = Worlds { threads, ..Worlds::new(50, 1) };
            assert_eq!(worlds.each(Ok).unwrap(), (0..50).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn each_world_is_announced_and_the_first_error_is_told() {
        let seen = AtomicUsize::new(0);
        let on_world = || {
            seen.fetch_add(1, Ordering::Relaxed);
        };
        let worlds = Worlds { threads: 3, on_world: &on_world, ..Worlds::new(20, 1) };
        let refuse = |value| SimulationError::Setting { name: "world", value, expected: "another" };
        let found = worlds.each(|world| if world < 5 { Ok(()) } else { Err(refuse(world as f64)) });
        assert_eq!(found, Err(refuse(5.0)));
        assert_eq!(seen.into_inner(), 20);
    }

    #[test]
    fn no_worlds_are_refused() {
        assert!(Worlds::new(0, 1).each(Ok).is_err());
    }
}
