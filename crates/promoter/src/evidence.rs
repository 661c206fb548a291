//! The preset `evidence`: an arm earns a grade on its stream, and its snapshots pass by cheap checks.
//!
//! Everything here is a pure function of the ledger of an arm against its reference, and of the rules:
//!
//! - [`EvidenceSettings`] is what somebody typed, [`EvidenceRules`] is what it means: every number of the preset, checked.
//! - [`MarketPace`] and [`Looks`] say at which counts of bars the ledger is looked at: once a day, by bars. Figures use
//!   the bars up to the last look, so they do not depend on when somebody asked.
//! - [`Recent`] is the paired bootstrap on the evidence window; [`Sequential`] is the registered test and the e-process,
//!   and [`SequentialTest`] the same one bar at a time.
//! - [`Standing`] puts them together and says which grade they come to, and what the next one lacks.
//! - [`Meter`] is the standing for a person who waits, with the chance of each grade.
//! - [`Holding`] and [`TrackRecord`] are told beside it and decide nothing: what holding the asset would have come to, and
//!   what the Sharpe ratio of the difference is worth.
//! - [`EvidenceGate`] is the [`Gate`](walkforward_core::Gate) on top: takeover, refresh, rails.
//!
//! A simulation needs no [`StreamEvidence`](walkforward_core::StreamEvidence): a [`LedgerSeries`] is the differences
//! (arm less reference, net return per bar) and a seed.

mod gate;
mod holding;
mod ledger;
mod meter;
mod next;
mod outlook;
mod own_anchor;
mod pace;
mod rails;
mod recent;
mod refresh;
mod rules;
mod sentences;
mod sequential;
mod standing;
mod takeover;
mod track_record;
mod warnings;

pub use gate::EvidenceGate;
pub use holding::Holding;
pub use ledger::{LedgerError, LedgerSeries};
pub use meter::{ErrorBudget, Levels, Meter};
pub use next::{NextGrade, Shortfall};
pub use outlook::{Chance, Gap, Outlook};
pub use own_anchor::OwnAnchor;
pub use pace::{Looks, MarketPace};
pub use rails::ExplicitRails;
pub use recent::Recent;
pub use rules::{EvidenceRules, EvidenceSettings, RulesError};
pub use sequential::{Decider, Sequential, SequentialTest};
pub use standing::Standing;
pub use takeover::grade_for_takeover;
pub use track_record::{TrackRecord, TrialVariance, TrialsOf};
