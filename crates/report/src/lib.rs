//! One self-contained HTML page about a model: what it came to and why, for a person.
//!
//! [`html`] is a pure function from a [`ModelReport`] to the text of the page. The page loads nothing, needs no
//! script to be read, follows the reader's light or dark setting, and fits a phone and a sheet of paper. Its charts are
//! drawn here, as inline SVG. Everything that a record could hold is escaped, and everything has a bound, so that a
//! year of one-minute bars makes a page as small as a week of hours.
//!
//! [`replay_html`] is the same for what a replay of the past came to, [`demo_html`] for two of them beside what was
//! shown to hold, [`evidence_html`] for how far the evidence for arms has come ([`MeterReport`]),
//! and [`rates_svg`] a picture of rates with their errors. The same report gives the same bytes.
//!
//! ```
//! use walkforward_core::ModelId;
//! use walkforward_report::{ModelReport, html};
//!
//! let id: ModelId = "model-2024-01-01T00-00-00-000Z".parse()?;
//! let report = ModelReport::new("First <try>", id, "BTC/USD".parse()?, "1h".parse()?);
//! let page = html(&report);
//! assert!(page.starts_with("<!DOCTYPE html>") && page.contains("First &lt;try&gt;"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod annualised;
mod arms;
mod bounds;
mod cautions;
mod chart;
mod dates;
mod demo;
mod equities;
mod gauges;
mod markup;
mod meter;
mod model;
mod numbers;
mod page;
mod plot;
mod replay;
mod sections;
mod wrap;

pub use annualised::{annualised, growth_bps, length_in_words};
pub use arms::{ArmQuarantine, ArmReport, EvidenceReport, JudgedSnapshot, LineTests, evidence_html};
pub use cautions::{Warned, cautions};
pub use demo::{DemoEquity, DemoMarket, DemoProof, DemoReport, DemoRows, demo_html};
pub use gauges::{Gauge, gauges};
pub use meter::{
    LIVE_BARS_ONLY, MeterChance, MeterError, MeterGap, MeterHolding, MeterLevels, MeterOutlook,
    MeterOwnAnchor, MeterReport, MeterSequential, MeterStanding, MeterTrackRecord, MeterWindow, worth,
    worths,
};
pub use model::{
    ActionShare, Ancestor, GapCounts, GapStretch, ModelReport, PriceSeries, Provenance, Role, Subject,
};
pub use page::html;
pub use plot::{RatePanel, RatePlot, RatePoint, RateSeries, RateStyle, rates_svg};
pub use replay::{ReplayChange, ReplayEquity, ReplayReport, replay_html};
pub use wrap::wrap;
