//! The place where the trading policy lies.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use walkforward_core::{Grade, ModelId, Policy};
use walkforward_store::BundleLock;

use crate::ModelStamp;

/// A policy that trades, with what identifies it. Nothing in it changes while it is deployed.
#[derive(Clone)]
pub struct DeployedPolicy {
    /// The policy.
    pub policy: Arc<dyn Policy>,
    /// The model that it is.
    pub model_id: ModelId,
    /// SHA-256 of its weights file, lower-case hex.
    pub sha256: String,
    /// 1 for the first model of the session, one more for each that follows.
    pub model_version: u64,
    /// The grade that its arm has come to; none of a model that no stream graded. What it may risk follows that.
    pub grade: Option<Grade>,
    /// Keeps retention from removing its bundle while it is deployed; none of a policy that has no bundle.
    _bundle: Option<Arc<BundleLock>>,
}

impl DeployedPolicy {
    /// The policy of the model that decided before the process started, as it was deployed then.
    pub(crate) fn recalled(model: &ModelStamp, policy: Arc<dyn Policy>, bundle: BundleLock) -> Self {
        let ModelStamp { model_id, sha256, model_version, grade } = model.clone();
        Self { policy, model_id, sha256, model_version, grade, _bundle: Some(Arc::new(bundle)) }
    }
}

impl fmt::Debug for DeployedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployedPolicy")
            .field("model_id", &self.model_id)
            .field("sha256", &self.sha256)
            .field("model_version", &self.model_version)
            .field("grade", &self.grade)
            .finish_non_exhaustive()
    }
}

/// Holds the policy that trades, if there is one. Policy, hash and version are swapped as one.
///
/// Readers never wait. The bar loop reads once per bar and keeps what it read until the bar is done, so a swap
/// takes effect between two bars.
#[derive(Debug, Default)]
pub struct PolicySlot {
    current: ArcSwapOption<DeployedPolicy>,
    last_version: AtomicU64,
    /// The model that traded before the process started.
    resumed: OnceLock<ModelStamp>,
}

impl PolicySlot {
    /// A slot without a policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// Versions go on behind `before`, which decided last in the session that goes on. Comes before the first policy.
    pub(crate) fn resume(&self, before: &ModelStamp) {
        self.last_version.store(before.model_version, Ordering::SeqCst);
        let _ = self.resumed.set(before.clone());
    }

    /// The version of a model that takes the slot.
    fn version_of(&self, model_id: &ModelId, sha256: &str, grade: Option<Grade>) -> u64 {
        let before = self.resumed.get().filter(|_| self.current.load().is_none());
        let is_it = |it: &&ModelStamp| it.model_id == *model_id && it.sha256 == sha256 && it.grade == grade;
        match before.filter(is_it) {
            Some(same) => same.model_version,
            None => self.last_version.fetch_add(1, Ordering::SeqCst) + 1,
        }
    }

    /// The policy that trades now; `None` before the first.
    pub fn load(&self) -> Option<Arc<DeployedPolicy>> {
        self.current.load_full()
    }

    /// Puts a checked policy without a grade in place under the next version, and returns what was deployed.
    pub fn deploy(&self, policy: Arc<dyn Policy>, model_id: ModelId, sha256: String) -> Arc<DeployedPolicy> {
        self.deploy_locked(policy, model_id, sha256, None, None)
    }

    /// As [`deploy`](Self::deploy), of a policy with its grade whose bundle stays locked for as long as anybody holds it.
    pub(crate) fn deploy_locked(
        &self,
        policy: Arc<dyn Policy>,
        model_id: ModelId,
        sha256: String,
        grade: Option<Grade>,
        bundle: Option<BundleLock>,
    ) -> Arc<DeployedPolicy> {
        let model_version = self.version_of(&model_id, &sha256, grade);
        let _bundle = bundle.map(Arc::new);
        let deployed = Arc::new(DeployedPolicy { policy, model_id, sha256, model_version, grade, _bundle });
        self.current.store(Some(Arc::clone(&deployed)));
        deployed
    }
}
