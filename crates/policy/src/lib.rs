//! Policies as files and in memory: writes and loads bundles, answers observations, and holds the networks that are
//! trained.
//!
//! The principal type is [`FrozenPolicy`], what [`load`] makes of a bundle: a frozen network that can't be
//! changed (one that the kernels or candle serve, or trees), with its [`PolicySpec`]. A bundle is a folder with [`WEIGHTS_FILE`] (actor and critic as safetensors, and in its
//! header the one key `walkforward` with the whole specification as canonical JSON) and, for a warm start,
//! [`OPTIMIZER_FILE`]. The same contents give the same bytes, and a bundle's identity is the SHA-256 of its weights
//! file. Loading checks the hash, every number and shape, and the recorded probe (bit for bit but where candle answers); each failure is a
//! [`BundleError`] that names the file.
//!
//! [`ActorCritic`] is the trained side: the same network in candle, which this crate alone shows in its interface.
//!
//! ```
//! use std::collections::BTreeMap;
//! use walkforward_core::{
//!     Action, ActionMap, Activation, FeatureKind, FeatureSpec, NetworkSpec, Normaliser, Observation, PolicySpec,
//!     Probe,
//! };
//! use walkforward_policy::{load, write_bundle};
//!
//! let features = FeatureSpec::new(vec![FeatureKind::Returns { periods: vec![1] }])?;
//! let spec = PolicySpec {
//!     schema: PolicySpec::SCHEMA,
//!     symbol: "BTC/USD".parse()?,
//!     timeframe: "1h".parse()?,
//!     network: NetworkSpec::Mlp { inputs: 3, hidden: vec![], outputs: 2, activation: Activation::Tanh },
//!     sessions: false,
//!     features,
//!     normaliser: Normaliser { mean: vec![0.0], std: vec![1.0], clip: 5.0 },
//!     lookback: 1,
//!     actions: ActionMap::LongFlat,
//!     used_until: "2024-01-01T00:00:00Z".parse()?,
//!     probe: Probe { observations: vec![], outputs: vec![], tolerance: 0.0 }, // recorded when written
//! };
//! // Long after a rise: the second logit is the last return.
//! let weights = BTreeMap::from([
//!     ("actor.0.weight".to_owned(), (vec![2, 3], vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0])),
//!     ("actor.0.bias".to_owned(), (vec![2], vec![0.0, 0.0])),
//! ]);
//! let folder = tempfile::tempdir()?;
//! let written = write_bundle(folder.path(), &spec, &weights, None)?;
//!
//! let policy = load(folder.path(), &written.sha256)?;
//! assert_eq!(policy.act(Observation(&[0.7, 0.0, 0.0]))?, Action(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod actor_critic;
mod bundle;
mod canonical;
mod check;
mod error;
mod forest;
mod frozen;
mod init;
mod network;
mod optimizer;
mod probe;
mod tensors;

pub use actor_critic::ActorCritic;
pub use bundle::{
    Bundle, MAX_BUNDLE_BYTES, OPTIMIZER_FILE, WEIGHTS_FILE, WrittenBundle, load, load_bundle, load_mlp,
    load_policy, sha256_hex, write_bundle,
};
pub use check::{
    MAX_HIDDEN_LAYERS, MAX_KERNEL, MAX_LOOKBACK, MAX_OBSERVATION, MAX_PROBES, MAX_TREE_DEPTH, MAX_TREES,
    MAX_WIDTH,
};
pub use error::BundleError;
pub use frozen::FrozenPolicy;
pub use optimizer::{OptimizerState, load_optimizer};
pub use tensors::Tensors;
pub use walkforward_core::{Policy, PolicySpec};
