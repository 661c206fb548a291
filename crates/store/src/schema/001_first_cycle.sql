CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    line        TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    outcome     TEXT,
    reason      TEXT
) STRICT;

-- An index over models/model-*/metadata.json, which is the record.
CREATE TABLE models (
    id            TEXT PRIMARY KEY,
    run_id        TEXT NOT NULL,
    line          TEXT NOT NULL,
    status        TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    sha256        TEXT NOT NULL,
    used_until    TEXT NOT NULL,
    lineage_until TEXT NOT NULL,
    metadata_path TEXT NOT NULL
) STRICT;
CREATE INDEX models_of_a_line ON models (line, created_at);

-- to_model is null when somebody took a line's pointer away.
CREATE TABLE promotions (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    line           TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    from_model     TEXT,
    to_model       TEXT,
    kind           TEXT NOT NULL CHECK (kind IN ('promote', 'rollback', 'adopted')),
    reason         TEXT NOT NULL,
    verdict_json   TEXT,
    metrics_sha256 TEXT,
    state          TEXT NOT NULL CHECK (state IN ('pending', 'committed', 'aborted')),
    created_at     TEXT NOT NULL,
    committed_at   TEXT,
    UNIQUE (line, sequence)
) STRICT;
CREATE INDEX promotions_by_model ON promotions (to_model);
CREATE INDEX promotions_by_metrics_file ON promotions (metrics_sha256) WHERE metrics_sha256 IS NOT NULL;

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    time    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    payload TEXT NOT NULL
) STRICT;
