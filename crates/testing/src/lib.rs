//! What the tests of several crates share. Nothing here is part of the product: no crate depends on it but as a
//! dev-dependency.
//!
//! [`FakeAlpaca`] is the broker on this machine: its REST services and its two streams on one port, an account that pays
//! fees in the asset received, and a script of everything that goes wrong between a trader and a broker.
//!
//! ```
//! use walkforward_core::{Bar, Timestamp};
//! use walkforward_testing::{FakeAlpaca, RestFault, Route, StreamKind};
//!
//! let fake = FakeAlpaca::in_background("BTC/USD");
//! // A trader is told `fake.rest_url()`, `fake.market_url()`, `fake.updates_url()` and the keys; then:
//! fake.push_bar(Bar::flat(Timestamp::EPOCH, 41_000.0)?);
//! fake.cut_streams(StreamKind::Market);
//! fake.fail(Route::Submit, RestFault::LoseAnswer, 1);
//! assert_eq!(fake.placed("wf-0123456789abcdef0123"), (0, 0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a fake fails by panicking, like the test that uses it")]

mod alpaca;
mod mlflow;
mod random;
mod sink;

pub use alpaca::{
    AuthSpelling, FakeAlpaca, FakeKind, FakeOrder, FillMode, Holdings, RestFault, Route, SeenRequest,
    StreamKind, StreamRecord,
};
pub use mlflow::{FakeMlflow, FakeRun, FakeVersion, MlflowFault};
pub use random::Random;
pub use sink::{FakeSink, SinkAnswer, SinkRequest};
