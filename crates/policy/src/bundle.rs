//! The files of a bundle: written whole or not at all, read with suspicion.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use walkforward_core::{NetworkSpec, Policy, PolicySpec};

use crate::canonical::canonical_json;
use crate::check::{check_probe, check_spec, check_tensors};
use crate::frozen::FrozenNet;
use crate::optimizer::{OptimizerState, encode_optimizer};
use crate::tensors::{decode, encode, format_error};
use crate::{BundleError, FrozenPolicy, Tensors, probe};

/// Weights and specification, in a model's folder.
pub const WEIGHTS_FILE: &str = "policy.safetensors";
/// State of the optimiser, in a model's folder; only a warm start reads it.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// Largest file that is read: the widest network that the limits allow, with room to spare.
pub const MAX_BUNDLE_BYTES: u64 = 256 << 20;

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenBundle {
    /// SHA-256 of the weights file, lower-case hex.
    pub sha256: String,
    /// The specification as written, with its probe.
    pub spec: PolicySpec,
}

/// A bundle that passed every check: the policy, and the tensors for a warm start.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The frozen policy.
    pub policy: FrozenPolicy,
    /// All tensors of the weights file; of an actor and critic the actor, and the critic when there is one.
    pub tensors: Tensors,
}

/// SHA-256 of `bytes`, lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a bundle into the existing folder `dir`, the weights file last.
///
/// `tensors` are those of the network that `spec` names, and no others:
/// * `mlp`: the actor (`actor.<layer>.weight` `[outputs, inputs]`, `actor.<layer>.bias` `[outputs]`) and, for a warm
///   start, the critic (`critic.<layer>...`, same hidden layers, one output);
/// * `layer_norm_mlp`: the same with `<layer>.norm.weight` and `<layer>.norm.bias` `[outputs]` for hidden layers;
/// * `gru`: before the layers `gru.weight_ih` `[3 units, features]`, `gru.weight_hh` `[3 units, units]`, `gru.bias_ih`
///   and `gru.bias_hh` `[3 units]`; reset gate, update gate, candidate;
/// * `conv`: before the layers `conv.<i>.weight` `[channels, channels before, kernel]` and `conv.<i>.bias`
///   `[channels]`; the last tap is the newest row;
/// * `linear`: `linear.weight` `[outputs, inputs]`, `linear.bias` `[outputs]`;
/// * `trees`: complete trees whose node `i` has the children `2i + 1` (taken when its number is at most the
///   threshold) and `2i + 2`: `trees.feature` and `trees.threshold` `[trees, 2^depth - 1]`, `trees.leaf`
///   `[trees, 2^depth]`, the output that each tree adds to in `trees.output` `[trees]`, and `trees.bias` `[outputs]`.
///   Indices are whole numbers.
///
/// The probe of `spec` is replaced
/// by one recorded from these weights. The same arguments give the same bytes.
///
/// # Errors
/// When specification or tensors would not load again, or a file can't be written.
pub fn write_bundle(
    dir: &Path,
    spec: &PolicySpec,
    tensors: &Tensors,
    optimizer: Option<&OptimizerState>,
) -> Result<WrittenBundle, BundleError> {
    let path = dir.join(WEIGHTS_FILE);
    check(&path, spec, tensors)?;
    let net = FrozenNet::new(&spec.network, tensors).map_err(|error| format_error(&path, error))?;
    let mut spec = spec.clone();
    spec.probe = probe::record(&net).map_err(|error| format_error(&path, error))?;
    check_probe(&spec.probe, &spec.network)
        .map_err(|reason| BundleError::Spec { path: path.clone(), reason })?;
    let header = canonical_json(&spec).map_err(|error| format_error(&path, error))?;
    let bytes = encode(&path, header, tensors)?;
    let sha256 = sha256_hex(&bytes);
    decode_bundle(&path, &bytes, &sha256)?;
    if let Some(state) = optimizer {
        let path = dir.join(OPTIMIZER_FILE);
        walkforward_durable::write_atomic(&path, &encode_optimizer(&path, state, &sha256)?)?;
    }
    walkforward_durable::write_atomic(&path, &bytes)?;
    Ok(WrittenBundle { sha256, spec })
}

/// Loads the policy in `dir`, whose weights file must have the SHA-256 `expected_sha256` (lower-case hex).
///
/// # Errors
/// When the file is absent, unreadable, of another hash, malformed, out of limits or fails its probe.
pub fn load(dir: &Path, expected_sha256: &str) -> Result<Arc<dyn Policy>, BundleError> {
    Ok(Arc::new(load_policy(dir, expected_sha256)?))
}

/// Like [`load`], as the concrete type.
///
/// # Errors
/// As [`load`].
pub fn load_policy(dir: &Path, expected_sha256: &str) -> Result<FrozenPolicy, BundleError> {
    load_bundle(dir, expected_sha256).map(|bundle| bundle.policy)
}

/// Like [`load_policy`], refused unless its network is an mlp.
///
/// # Errors
/// As [`load`], and [`BundleError::Spec`] for a network of another kind.
pub fn load_mlp(dir: &Path, expected_sha256: &str) -> Result<FrozenPolicy, BundleError> {
    let policy = load_policy(dir, expected_sha256)?;
    match &policy.spec().network {
        NetworkSpec::Mlp { .. } => Ok(policy),
        other => {
            let (path, kind) = (dir.join(WEIGHTS_FILE), other.kind());
            Err(BundleError::Spec { path, reason: format!("its network is of kind {kind}, expected mlp") })
        }
    }
}

/// Like [`load_policy`], with all tensors: what a warm start needs.
///
/// # Errors
/// As [`load`].
pub fn load_bundle(dir: &Path, expected_sha256: &str) -> Result<Bundle, BundleError> {
    let path = dir.join(WEIGHTS_FILE);
    let bytes = read_file(&path)?;
    decode_bundle(&path, &bytes, expected_sha256)
}

fn decode_bundle(path: &Path, bytes: &[u8], expected_sha256: &str) -> Result<Bundle, BundleError> {
    let actual = sha256_hex(bytes);
    if actual != expected_sha256 {
        let expected = expected_sha256.to_owned();
        return Err(BundleError::Hash { path: path.to_owned(), expected, actual });
    }
    let (header, tensors) = decode(path, bytes)?;
    let spec = decode_spec(path, &header)?;
    check(path, &spec, &tensors)?;
    let net = FrozenNet::new(&spec.network, &tensors).map_err(|error| format_error(path, error))?;
    check_probe(&spec.probe, &spec.network)
        .map_err(|reason| BundleError::Spec { path: path.to_owned(), reason })?;
    let difference = probe::first_difference(&net, &spec.probe).map_err(|error| format_error(path, error))?;
    match difference {
        Some(row) => Err(BundleError::Probe { path: path.to_owned(), row }),
        None => Ok(Bundle { policy: FrozenPolicy::new(spec, actual, net), tensors }),
    }
}

fn decode_spec(path: &Path, header: &str) -> Result<PolicySpec, BundleError> {
    let value: serde_json::Value = serde_json::from_str(header)
        .map_err(|error| format_error(path, format!("its specification is no JSON: {error}")))?;
    let spec_error = |reason| BundleError::Spec { path: path.to_owned(), reason };
    let found = value.get("schema").and_then(serde_json::Value::as_u64);
    let found = found.ok_or_else(|| spec_error("its schema is no version number".to_owned()))?;
    if found != u64::from(PolicySpec::SCHEMA) {
        return Err(BundleError::Schema { path: path.to_owned(), found });
    }
    serde_json::from_value(value).map_err(|error| spec_error(error.to_string()))
}

fn check(path: &Path, spec: &PolicySpec, tensors: &Tensors) -> Result<(), BundleError> {
    check_spec(spec).map_err(|reason| BundleError::Spec { path: path.to_owned(), reason })?;
    check_tensors(&spec.network, tensors).map_err(|(tensor, reason)| BundleError::Tensor {
        path: path.to_owned(),
        tensor,
        reason,
    })
}

/// The bytes of a file of at most [`MAX_BUNDLE_BYTES`]. Read, not mapped: a mapped file could change under us.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, BundleError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => BundleError::Missing { path: path.to_owned() },
        _ => BundleError::Read { path: path.to_owned(), source },
    };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("it is no regular file")));
    }
    let too_large = |bytes| BundleError::TooLarge { path: path.to_owned(), bytes, limit: MAX_BUNDLE_BYTES };
    if metadata.len() > MAX_BUNDLE_BYTES {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BUNDLE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BUNDLE_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}
