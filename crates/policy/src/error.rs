//! Why a bundle can't be read or written.

use std::path::PathBuf;

use walkforward_core::PolicySpec;

/// A bundle that can't be used or written; the text names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no such file.
    #[error("{path} does not exist: the model is incomplete, train it again or point to another one")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be read.
    #[error("can't read {path}: {source}; check that it is a file and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file can't be written.
    #[error(transparent)]
    Write(#[from] walkforward_durable::Error),
    /// The file is larger than any bundle.
    #[error("{path} has {bytes} bytes, at most {limit} are read: this is no policy file")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size.
        limit: u64,
    },
    /// The bytes are not the ones that were registered.
    #[error(
        "{path} has SHA-256 {actual}, expected {expected}: the file was changed or truncated, restore it or use another model"
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// What was registered.
        expected: String,
        /// What the bytes give.
        actual: String,
    },
    /// The bytes are no safetensors file of this kind.
    #[error("{path} is no policy file: {reason}; train the model again")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The specification has another version.
    #[error("{path} has a specification of version {found}, this program reads version {expected}: use a matching program or train again", expected = PolicySpec::SCHEMA)]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The specification contradicts itself or leaves its limits.
    #[error("the specification in {path} can't be used: {reason}; train the model again")]
    Spec {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor is absent, superfluous, misshapen or not finite.
    #[error("tensor '{tensor}' in {path}: {reason}; train the model again")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// The network does not give the answers that were recorded when it was written.
    #[error(
        "the policy in {path} answers its probe {row} otherwise than recorded: this program computes differently from the one that wrote it, do not trade it"
    )]
    Probe {
        /// The file.
        path: PathBuf,
        /// Index of the probe.
        row: usize,
    },
    /// The optimizer file was written with other weights.
    #[error("{path} belongs to weights of SHA-256 {found}, not {expected}: start without it")]
    ForeignOptimizer {
        /// The file.
        path: PathBuf,
        /// The weights that it was written with.
        found: String,
        /// The weights that it was asked for.
        expected: String,
    },
}
