-- What makes a line's models, and its models from the time on at which they could decide.
CREATE TABLE arms (
    id            TEXT PRIMARY KEY,
    line          TEXT NOT NULL,
    spec          TEXT NOT NULL,
    registered_at TEXT NOT NULL
) STRICT;
CREATE INDEX arms_of_a_line ON arms (line, registered_at);

CREATE TABLE snapshots (
    model         TEXT PRIMARY KEY REFERENCES models (id),
    arm           TEXT NOT NULL REFERENCES arms (id),
    published_at  TEXT NOT NULL,
    lineage_until TEXT NOT NULL
) STRICT;
CREATE INDEX snapshots_of_an_arm ON snapshots (arm, published_at);

-- A stream is an arm's, or that of a model that others are measured against. `session` is how its last bar ended.
CREATE TABLE streams (
    id            INTEGER PRIMARY KEY,
    key           TEXT NOT NULL UNIQUE,
    last_close_ms INTEGER NOT NULL,
    session       TEXT NOT NULL
) STRICT;

CREATE TABLE stream_bars (
    stream      INTEGER NOT NULL REFERENCES streams (id),
    close_ms    INTEGER NOT NULL,
    net_return  REAL NOT NULL,
    position    REAL NOT NULL,
    is_known    INTEGER NOT NULL CHECK (is_known IN (0, 1)),
    is_replayed INTEGER NOT NULL CHECK (is_replayed IN (0, 1)),
    PRIMARY KEY (stream, close_ms)
) STRICT, WITHOUT ROWID;

-- From the close at from_ms on `model` decides; null holds no position.
CREATE TABLE stream_deciders (
    stream  INTEGER NOT NULL REFERENCES streams (id),
    from_ms INTEGER NOT NULL,
    model   TEXT,
    PRIMARY KEY (stream, from_ms)
) STRICT, WITHOUT ROWID;

-- A bar is scored once.
CREATE TRIGGER stream_bars_stay BEFORE UPDATE ON stream_bars BEGIN SELECT RAISE(ABORT, 'a bar is scored once'); END;
CREATE TRIGGER stream_bars_are_kept BEFORE DELETE ON stream_bars BEGIN SELECT RAISE(ABORT, 'scored bars are kept'); END;

-- Sequential tests, fixed before their first bar.
CREATE TABLE horizons (
    arm           TEXT NOT NULL REFERENCES arms (id),
    reference     TEXT NOT NULL,
    after         TEXT NOT NULL,
    line          TEXT NOT NULL,
    bars          INTEGER NOT NULL CHECK (bars > 0),
    alpha         REAL NOT NULL CHECK (alpha > 0 AND alpha < 1),
    broken        TEXT,
    PRIMARY KEY (arm, reference, after)
) STRICT;
CREATE INDEX horizons_of_a_line ON horizons (line, after);
