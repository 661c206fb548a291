-- What retention has to know of a model without reading its record. `seen` is cleared, so that the next start reads every
-- record once and fills parent_id in. From weights_removed_at on the weights of a model are not to be used;
-- removal_open is 1 until they are gone.
ALTER TABLE models ADD COLUMN parent_id TEXT;
ALTER TABLE models ADD COLUMN weights_removed_at TEXT;
ALTER TABLE models ADD COLUMN weights_removed_by TEXT CHECK (weights_removed_by IN ('retention', 'backup'));
ALTER TABLE models ADD COLUMN removal_open INTEGER NOT NULL DEFAULT 0 CHECK (removal_open IN (0, 1));
UPDATE models SET seen = NULL;
CREATE INDEX models_by_parent ON models (parent_id, created_at) WHERE parent_id IS NOT NULL;
CREATE INDEX models_by_time ON models (created_at, id);
CREATE INDEX open_removals ON models (id) WHERE removal_open = 1;

CREATE TABLE model_pins (
    model  TEXT PRIMARY KEY REFERENCES models (id),
    reason TEXT NOT NULL CHECK (length(reason) > 0),
    at     TEXT NOT NULL
) STRICT;
