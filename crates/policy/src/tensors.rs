//! Named tensors of `f32` and their safetensors form.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::BundleError;

/// Tensors by name: shape and row-major numbers.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The one key in the header of our files. A map of several would be written in random order.
const HEADER_KEY: &str = "walkforward";
/// Most tensors that a file may name.
const MAX_TENSORS: usize = 256;

/// The bytes of a file with `header` and `tensors`; the same contents give the same bytes.
pub(crate) fn encode(path: &Path, header: String, tensors: &Tensors) -> Result<Vec<u8>, BundleError> {
    let bytes: Vec<Vec<u8>> = tensors
        .values()
        .map(|(_, data)| data.iter().flat_map(|number| number.to_le_bytes()).collect())
        .collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, (shape, _)), data) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, shape.clone(), data).map_err(|_| BundleError::Tensor {
            path: path.to_owned(),
            tensor: name.clone(),
            reason: format!("its {} numbers do not fill the shape {shape:?}", data.len() / 4),
        })?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(HEADER_KEY.to_owned(), header)]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| format_error(path, error))
}

/// Header and tensors of a file. All numbers are finite.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<(String, Tensors), BundleError> {
    check_offsets(path, bytes)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| format_error(path, error))?;
    let header = metadata.metadata().as_ref().and_then(|map| map.get(HEADER_KEY)).cloned();
    let header = header.ok_or_else(|| format_error(path, format!("its header has no key '{HEADER_KEY}'")))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| format_error(path, error))?;
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors() {
        let data = floats(&view).map_err(|reason| BundleError::Tensor {
            path: path.to_owned(),
            tensor: name.clone(),
            reason,
        })?;
        tensors.insert(name, (view.shape().to_vec(), data));
    }
    Ok((header, tensors))
}

fn floats(view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    if view.dtype() != Dtype::F32 {
        return Err(format!("its numbers are {:?}, expected F32", view.dtype()));
    }
    let (numbers, _) = view.data().as_chunks::<4>();
    let data: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    match data.iter().position(|number| !number.is_finite()) {
        Some(index) => Err(format!("number {index} is not finite")),
        None => Ok(data),
    }
}

/// Refuses tensors that claim to lie beyond the file: `safetensors` adds such offsets up without looking.
fn check_offsets(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let header = header_bytes(bytes).ok_or_else(|| format_error(path, "it is truncated"))?;
    let entries: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(header).map_err(|error| format_error(path, error))?;
    if entries.len() > MAX_TENSORS {
        return Err(format_error(path, format!("it names more than {MAX_TENSORS} tensors")));
    }
    let ends = entries.values().filter_map(|entry| entry.pointer("/data_offsets/1")?.as_u64());
    if ends.max().is_some_and(|end| end > bytes.len() as u64) {
        return Err(format_error(path, "it is truncated: a tensor ends beyond the file"));
    }
    Ok(())
}

fn header_bytes(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

pub(crate) fn format_error(path: &Path, reason: impl ToString) -> BundleError {
    BundleError::Format { path: path.to_owned(), reason: reason.to_string() }
}
