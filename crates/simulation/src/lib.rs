//! What the rules of promotion are worth, measured in simulated worlds whose truth is known.
//!
//! A market without drift, positions that are set before the bar that they earn, and an edge that is exactly what was
//! asked for: then every promotion is right or wrong, and can be counted.
//!
//! - [`ArmStudy`]: one arm against its reference under [`EvidenceRules`](walkforward_promoter::EvidenceRules), with a look
//!   a day: how often, and how soon, it comes to each grade.
//! - [`LineStudy`]: several arms, takeovers, refreshes, and ledgers that begin anew.
//! - [`mod@reference`]: the worlds of the published figures: gates that judge one snapshot at a time, and the sequential
//!   tests alone.
//!
//! [`Worlds`] says how many and from which seed. A world draws from streams of its own, so the same seed gives the same
//! bits for any number of threads.
//!
//! ```
//! use walkforward_promoter::EvidenceRules;
//! use walkforward_simulation::{ArmStudy, Market, PairWorld, Worlds};
//!
//! let world = PairWorld::reference(Market::GarchT, 0.8);
//! let study = ArmStudy { world, gap: 20.0, days: 30, replayed_days: 0, rules: EvidenceRules::default() };
//! let outcome = study.run(&Worlds::new(10, 1))?;
//! assert!(outcome.screened.ever.rate() > 0.5);
//! # Ok::<(), walkforward_simulation::SimulationError>(())
//! ```
#![forbid(unsafe_code)]

mod arms;
mod error;
mod family;
mod ledger;
mod line;
mod market;
mod pair;
mod parallel;
mod random;
pub mod reference;
mod returns;
mod tally;

pub use arms::{ArmOutcome, ArmStudy, EARLY_DAYS, Reached};
pub use error::SimulationError;
pub use family::Family;
pub use line::{LineOutcome, LineStudy, Restart};
pub use market::{BARS_PER_DAY, BARS_PER_YEAR, Market};
pub use pair::{Against, PairWorld, Snapshots};
pub use parallel::Worlds;
pub use tally::{Mean, Share};
