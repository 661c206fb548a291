//! The job folder: everything that a training needs, as files that any language reads.

mod bars;
mod dataset;
mod features;
mod file;
mod folder;
mod hashing;

pub use bars::BARS_FILE;
pub use dataset::{DATASET_FILE, FeatureShape, read_dataset, write_dataset};
pub use features::{FEATURES_FILE, read_features};
pub(crate) use file::JobSettings;
pub use file::{DATASET_DIR, JOB_FILE, JobFile, ParentFile};
pub use folder::tidy_jobs;
pub(crate) use folder::{JobFolder, tidy};
