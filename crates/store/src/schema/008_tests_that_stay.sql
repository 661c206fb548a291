-- A crossing stays, whatever breaks the test later. A void test never counted a bar: its error is free again.
ALTER TABLE horizons ADD COLUMN crossed_at TEXT;
ALTER TABLE horizons ADD COLUMN rules TEXT;
ALTER TABLE horizons ADD COLUMN is_void INTEGER NOT NULL DEFAULT 0 CHECK (is_void IN (0, 1));

-- Tests of pairs without a horizon, in the order in which they were enrolled. Other rules make another test of the same
-- pair: it counts bars that close after `after`, the first one all. A level never changes.
CREATE TABLE anytime_tests (
    number      INTEGER PRIMARY KEY,
    arm         TEXT NOT NULL REFERENCES arms (id),
    reference   TEXT NOT NULL,
    rules       TEXT NOT NULL,
    after       TEXT,
    level       REAL NOT NULL CHECK (level > 0 AND level < 1),
    enrolled_at TEXT NOT NULL,
    crossed_at  TEXT,
    UNIQUE (arm, reference, rules)
) STRICT;
CREATE TRIGGER anytime_tests_stay
BEFORE UPDATE OF number, arm, reference, rules, after, level, enrolled_at ON anytime_tests
BEGIN SELECT RAISE(ABORT, 'a level is fixed before its first bar'); END;
CREATE TRIGGER anytime_tests_are_kept BEFORE DELETE ON anytime_tests
BEGIN SELECT RAISE(ABORT, 'enrolled tests are kept'); END;

-- Annualised Sharpe ratio of a model on its hold-out. Each record is read once more at the next start, which fills it.
ALTER TABLE models ADD COLUMN sharpe REAL;
UPDATE models SET seen = NULL;
