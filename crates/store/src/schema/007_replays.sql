-- Cycles of the past that are made under a simulated clock. Bars that had closed by `known_until`, on the wall clock,
-- were known when somebody chose to go on with the arm.
CREATE TABLE replays (
    id               INTEGER PRIMARY KEY,
    line             TEXT NOT NULL,
    arm              TEXT NOT NULL REFERENCES arms (id),
    every            TEXT NOT NULL,
    from_at          TEXT NOT NULL,
    until_at         TEXT NOT NULL,
    publish_delay_ms INTEGER NOT NULL CHECK (publish_delay_ms > 0),
    next_due         TEXT,
    known_until      TEXT NOT NULL,
    status           TEXT NOT NULL CHECK (status IN ('running', 'finished'))
) STRICT;
CREATE UNIQUE INDEX one_replay_of_a_line ON replays (line);

-- The run of each due time. The one without an end is gone on with after a kill, under the same id.
CREATE TABLE replay_cycles (
    replay   INTEGER NOT NULL REFERENCES replays (id),
    due_at   TEXT NOT NULL,
    run      TEXT NOT NULL UNIQUE,
    is_ended INTEGER NOT NULL CHECK (is_ended IN (0, 1)),
    PRIMARY KEY (replay, due_at)
) STRICT, WITHOUT ROWID;
