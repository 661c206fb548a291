-- What traders' journals say, for lists and pages. A journal is the truth; these rows can be made from it again. All of a
-- session's journal up to (segment, record) is in them, each record once.
CREATE TABLE live_sessions (
    number         INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    line           TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    timeframe      TEXT NOT NULL,
    venue          TEXT NOT NULL,
    initial_cash   REAL NOT NULL,
    started_at     TEXT NOT NULL,
    ended_at       TEXT,
    end_reason     TEXT,
    first_segment  INTEGER NOT NULL CHECK (first_segment > 0),
    segment        INTEGER NOT NULL,
    record         INTEGER NOT NULL,
    mode           TEXT NOT NULL DEFAULT 'active',
    bars           INTEGER NOT NULL DEFAULT 0,
    missed         INTEGER NOT NULL DEFAULT 0,
    fills          INTEGER NOT NULL DEFAULT 0,
    swaps          INTEGER NOT NULL DEFAULT 0,
    events         INTEGER NOT NULL DEFAULT 0,
    last_bar_ms    INTEGER,
    equity         REAL NOT NULL,
    cash           REAL NOT NULL,
    position_nanos INTEGER NOT NULL DEFAULT 0,
    fees           REAL NOT NULL DEFAULT 0,
    peak_equity    REAL NOT NULL,
    max_drawdown   REAL NOT NULL DEFAULT 0,
    model          TEXT,
    sha256         TEXT,
    model_version  INTEGER,
    CHECK ((model IS NULL) = (sha256 IS NULL) AND (model IS NULL) = (model_version IS NULL))
) STRICT;
CREATE INDEX live_sessions_of_a_line ON live_sessions (line, number);

-- Thinned: of many bars every second, fourth, .. is kept. `number` counts the session's bars from 1.
CREATE TABLE live_bars (
    session        INTEGER NOT NULL REFERENCES live_sessions (number),
    number         INTEGER NOT NULL,
    open_ms        INTEGER NOT NULL,
    close          REAL NOT NULL,
    missed         INTEGER NOT NULL CHECK (missed IN (0, 1)),
    action         INTEGER,
    model_version  INTEGER,
    equity         REAL NOT NULL,
    cash           REAL NOT NULL,
    position_nanos INTEGER NOT NULL,
    mode           TEXT NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

-- The newest of each; `number` counts all of the session's from 1.
CREATE TABLE live_fills (
    session            INTEGER NOT NULL REFERENCES live_sessions (number),
    number             INTEGER NOT NULL,
    segment            INTEGER NOT NULL,
    record             INTEGER NOT NULL,
    time_ms            INTEGER NOT NULL,
    side               TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity_nanos     INTEGER NOT NULL,
    price              REAL NOT NULL,
    fee_quantity_nanos INTEGER NOT NULL,
    fee_cash           REAL NOT NULL,
    expected_price     REAL,
    order_id           TEXT,
    model_version      INTEGER,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE live_swaps (
    session        INTEGER NOT NULL REFERENCES live_sessions (number),
    number         INTEGER NOT NULL,
    segment        INTEGER NOT NULL,
    record         INTEGER NOT NULL,
    at             TEXT NOT NULL,
    from_model     TEXT,
    model          TEXT NOT NULL,
    sha256         TEXT NOT NULL,
    model_version  INTEGER NOT NULL,
    position_nanos INTEGER NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE live_events (
    session INTEGER NOT NULL REFERENCES live_sessions (number),
    number  INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    record  INTEGER NOT NULL,
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    details TEXT NOT NULL,
    mode    TEXT,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;
