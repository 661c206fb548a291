//! How a champion changes.
//!
//! Under the line's lock: a row `pending`, the pointer replaced durably, the row `committed` together with its event,
//! the model's record. Whatever is cut short is settled from the pointer, by the next one who takes the lock: a
//! pending row whose model the pointer names was in effect, any other was not.

use walkforward_core::{LineName, Metrics, ModelId, Outcome, Timestamp, Verdict};

use crate::layout::{METADATA_FILE, POLICY_FILE, pointer_path};
use crate::pointer::parse_pointer;
use crate::quarantine::GuardNote;
use crate::{ModelRecord, ModelStatus, Pointer, Store, StoreError, sha256_file};

/// Why a champion changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromotionKind {
    /// A gate let a candidate through.
    Promote,
    /// An earlier champion was taken back.
    Rollback,
    /// Somebody else changed the pointer; the store found it so.
    Adopted,
}

impl PromotionKind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Adopted => "adopted",
        }
    }

    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::Promote => "model_promoted",
            Self::Rollback => "model_rolled_back",
            Self::Adopted => "pointer_adopted",
        }
    }
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PromotionState {
    /// It was announced; the pointer tells whether it happened.
    Pending,
    /// It happened.
    Committed,
    /// It did not happen.
    Aborted,
}

impl PromotionState {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
        }
    }
}

/// A wish to change a line's champion.
#[derive(Debug, Clone, Copy)]
pub struct PromotionRequest<'a> {
    /// Which line.
    pub line: &'a LineName,
    /// The champion that the model was compared with; none when the line had none.
    pub expected_current: Option<&'a ModelId>,
    /// The new champion.
    pub to: &'a ModelId,
    /// [`PromotionKind::Promote`] or [`PromotionKind::Rollback`].
    pub kind: PromotionKind,
    /// Why, in words.
    pub reason: &'a str,
    /// What the gate said.
    pub verdict: &'a Verdict,
    /// What the model measured.
    pub metrics: &'a Metrics,
}

/// A change of champion that is in effect. Only the store makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    pointer: Pointer,
    from: Option<ModelId>,
    kind: PromotionKind,
}

impl Promotion {
    /// The pointer that was written.
    pub fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    /// The champion before.
    pub fn from(&self) -> Option<&ModelId> {
        self.from.as_ref()
    }

    /// The champion now.
    pub fn to(&self) -> &ModelId {
        &self.pointer.model_id
    }

    /// Promotion or rollback.
    pub fn kind(&self) -> PromotionKind {
        self.kind
    }

    /// Its number in its line.
    pub fn sequence(&self) -> u64 {
        self.pointer.sequence
    }
}

impl Store {
    /// Makes `request.to` the champion of its line.
    ///
    /// Fails with [`StoreError::PointerMoved`] when the champion is not the expected one, and refuses a model of
    /// another line or market, a model whose weights do not have their hash, the present champion, a model of an arm in
    /// quarantine (but for a rollback), and a promotion that its verdict does not carry. After an error the old champion
    /// stands. Once the pointer names the new one, nothing is an error any more: the history follows with the next one
    /// who takes the line's lock, and the model's own record with the next start, if they can't be written now.
    pub fn promote(&self, request: &PromotionRequest<'_>) -> Result<Promotion, StoreError> {
        self.promote_noting(request, None)
    }

    /// As [`promote`](Self::promote), of a rollback whose cause is kept with it.
    pub(crate) fn promote_noting(
        &self,
        request: &PromotionRequest<'_>,
        note: Option<&GuardNote>,
    ) -> Result<Promotion, StoreError> {
        let _line = self.line_lock(request.line)?;
        self.settle_line(request.line)?;
        let current = self.champion(request.line)?.map(|champion| champion.pointer);
        let record = self.check_request(request, current.as_ref())?;
        let pointer = self.new_pointer(request, &record, current.as_ref())?;
        let from = current.map(|pointer| pointer.model_id);
        // A trader that may not write here takes the lock by opening its file.
        drop(self.lock_bundle(request.to)?);
        self.announce(request, &record, &pointer, from.as_ref(), note)?;
        let done = self.put_pointer(&pointer).and_then(|()| self.commit(&pointer, pointer.promoted_at));
        if let Err(error) = done {
            // The next one to take the lock settles what this can't.
            let _ = self.settle_line(request.line);
            if !self.is_in_place(&pointer) {
                return Err(error);
            }
        }
        // The promotion is in effect, whatever becomes of the model's own record: a start puts that right.
        let _ = self.mark_promoted(&pointer.model_id, pointer.promoted_at);
        Ok(Promotion { pointer, from, kind: request.kind })
    }

    fn check_request(
        &self,
        request: &PromotionRequest<'_>,
        current: Option<&Pointer>,
    ) -> Result<ModelRecord, StoreError> {
        let (line, to) = (request.line, request.to);
        let refuse =
            |reason: String| StoreError::RefusedPromotion { line: line.clone(), to: to.clone(), reason };
        let found = current.map(|pointer| &pointer.model_id);
        if found != request.expected_current {
            let (expected, found) = (request.expected_current.cloned(), found.cloned());
            return Err(StoreError::PointerMoved { line: line.clone(), expected, found });
        }
        if found == Some(to) {
            return Err(refuse("it is the champion already".to_owned()));
        }
        match request.kind {
            PromotionKind::Promote if request.verdict.outcome != Outcome::Promote => {
                return Err(refuse(format!("its verdict is {}", request.verdict.outcome)));
            }
            PromotionKind::Adopted => return Err(refuse("'adopted' is what the store finds".to_owned())),
            PromotionKind::Promote | PromotionKind::Rollback => {}
        }
        let record = self.model(to)?;
        if record.line != *line {
            return Err(refuse(format!("it belongs to line '{}'", record.line)));
        }
        if let Some(declined) = &record.declined {
            return Err(refuse(declined.to_string()));
        }
        if request.kind == PromotionKind::Promote
            && let Some(problem) = self.quarantine_problem(to)?
        {
            return Err(refuse(problem));
        }
        if let Some(pointer) = current.filter(|pointer| pointer.market() != record.market()) {
            let (pointer, model) = (pointer.market(), record.market());
            return Err(StoreError::OtherMarket { line: line.clone(), pointer, model });
        }
        self.check_weights(&record)?;
        Ok(record)
    }

    pub(crate) fn check_weights(&self, record: &ModelRecord) -> Result<(), StoreError> {
        let weights = self.layout.policy(&record.model_id);
        // While they are being removed some may still be there.
        if let Some(removed) = self.open_removal(&record.model_id)? {
            return Err(StoreError::bad_model(&weights, removed.to_string()));
        }
        let actual = match (sha256_file(&weights), record.weights_removed) {
            (Err(error), Some(removed)) if error.is_not_found() => {
                return Err(StoreError::bad_model(&weights, removed.to_string()));
            }
            (actual, _) => actual?,
        };
        if actual == record.sha256 {
            return Ok(());
        }
        Err(StoreError::bad_model(&weights, format!("its SHA-256 is {actual}: expected {}", record.sha256)))
    }

    fn new_pointer(
        &self,
        request: &PromotionRequest<'_>,
        record: &ModelRecord,
        current: Option<&Pointer>,
    ) -> Result<Pointer, StoreError> {
        let sequence = self.next_sequence(request.line, current)?;
        Ok(Pointer {
            model_id: record.model_id.clone(),
            metadata_path: format!("{}/{METADATA_FILE}", record.model_id),
            model_path: format!("{}/{POLICY_FILE}", record.model_id),
            promoted_at: self.now(),
            metrics: request.metrics.clone(),
            sha256: record.sha256.clone(),
            line: request.line.clone(),
            symbol: record.symbol.clone(),
            timeframe: record.timeframe,
            preset: request.verdict.preset.clone(),
            grade: request.verdict.grading.as_ref().and_then(|grading| grading.grade),
            sequence,
        })
    }

    fn put_pointer(&self, pointer: &Pointer) -> Result<(), StoreError> {
        let path = pointer_path(&self.layout.models_dir, &pointer.line);
        if let Some(dir) = path.parent() {
            self.files.create_dir_all_durable(dir)?;
        }
        Ok(self.files.write_json_atomic(&path, pointer)?)
    }

    /// Whether traders read `pointer`.
    fn is_in_place(&self, pointer: &Pointer) -> bool {
        let found = parse_pointer(&self.layout.models_dir, &pointer.line);
        found.is_ok_and(|found| found.as_ref() == Some(pointer))
    }

    /// Writes into a model's record that it became champion at `at`.
    pub(crate) fn mark_promoted(&self, id: &ModelId, at: Timestamp) -> Result<(), StoreError> {
        let mut record = self.model(id)?;
        record.status = ModelStatus::Promoted;
        record.promoted = true;
        record.promoted_at = Some(at);
        self.write_record(&record)
    }
}
