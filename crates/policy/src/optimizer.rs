//! The optimiser's state, which a warm start continues from.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::bundle::{OPTIMIZER_FILE, read_file};
use crate::canonical::canonical_json;
use crate::tensors::{decode, encode, format_error};
use crate::{BundleError, Tensors};

/// Moments of Adam, by the names of the weights that they belong to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OptimizerState {
    /// Steps taken.
    pub step: u64,
    /// Mean of gradients.
    pub m: Tensors,
    /// Mean of squared gradients.
    pub v: Tensors,
}

const SCHEMA: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: u32,
    step: u64,
    policy_sha256: String,
}

pub(crate) fn encode_optimizer(
    path: &Path,
    state: &OptimizerState,
    policy_sha256: &str,
) -> Result<Vec<u8>, BundleError> {
    let header = Header { schema: SCHEMA, step: state.step, policy_sha256: policy_sha256.to_owned() };
    let header = canonical_json(&header).map_err(|error| format_error(path, error))?;
    let prefixed = |prefix: &str, tensors: &Tensors| -> Tensors {
        tensors.iter().map(|(name, tensor)| (format!("{prefix}.{name}"), tensor.clone())).collect()
    };
    let mut tensors = prefixed("m", &state.m);
    tensors.extend(prefixed("v", &state.v));
    encode(path, header, &tensors)
}

/// Loads the optimiser's state from `dir`; it has to belong to the weights of SHA-256 `policy_sha256`.
///
/// # Errors
/// When the file is absent, unreadable, malformed, not finite or belongs to other weights.
pub fn load_optimizer(dir: &Path, policy_sha256: &str) -> Result<OptimizerState, BundleError> {
    let path = dir.join(OPTIMIZER_FILE);
    let (header, tensors) = decode(&path, &read_file(&path)?)?;
    let header: Header = serde_json::from_str(&header).map_err(|error| format_error(&path, error))?;
    if header.schema != SCHEMA {
        return Err(format_error(&path, format!("version {}, expected {SCHEMA}", header.schema)));
    }
    if header.policy_sha256 != policy_sha256 {
        let (found, expected) = (header.policy_sha256, policy_sha256.to_owned());
        return Err(BundleError::ForeignOptimizer { path, found, expected });
    }
    let mut state = OptimizerState { step: header.step, ..OptimizerState::default() };
    for (name, tensor) in tensors {
        let target = match name.split_once('.') {
            Some(("m", weight)) => (&mut state.m, weight.to_owned()),
            Some(("v", weight)) => (&mut state.v, weight.to_owned()),
            _ => return Err(format_error(&path, format!("the tensor '{name}' is no moment"))),
        };
        target.0.insert(target.1, tensor);
    }
    Ok(state)
}
