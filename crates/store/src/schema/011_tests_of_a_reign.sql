-- A test at any time is announced with its rules when its pair is first measured, and enrolled with its first live bar: only
-- then it takes the next number and a level, which never change. A reference that reigns again after another did makes
-- another pair: `since` is when its bars began to count, empty where all do.
CREATE TABLE anytime_tests_of_a_reign (
    arm         TEXT NOT NULL REFERENCES arms (id),
    reference   TEXT NOT NULL,
    since       TEXT NOT NULL,
    rules       TEXT NOT NULL,
    after       TEXT,
    number      INTEGER UNIQUE,
    level       REAL CHECK (level > 0 AND level < 1),
    enrolled_at TEXT,
    crossed_at  TEXT,
    PRIMARY KEY (arm, reference, since, rules),
    CHECK ((number IS NULL) = (level IS NULL) AND (number IS NULL) = (enrolled_at IS NULL)),
    CHECK (crossed_at IS NULL OR number IS NOT NULL)
) STRICT;

-- The tests that were known were enrolled in the reign that their reference began last before.
INSERT INTO anytime_tests_of_a_reign
SELECT t.arm, t.reference,
       coalesce((SELECT max(coalesce(p.committed_at, p.created_at)) FROM promotions p
                 WHERE p.to_model = t.reference AND p.state = 'committed'
                   AND coalesce(p.committed_at, p.created_at) <= t.enrolled_at), ''),
       t.rules, t.after, t.number, t.level, t.enrolled_at, t.crossed_at
FROM anytime_tests t;
DROP TABLE anytime_tests;
ALTER TABLE anytime_tests_of_a_reign RENAME TO anytime_tests;

CREATE TRIGGER anytime_tests_stay
BEFORE UPDATE OF arm, reference, since, rules, after ON anytime_tests
BEGIN SELECT RAISE(ABORT, 'a test is fixed before its first bar'); END;
CREATE TRIGGER levels_stay
BEFORE UPDATE OF number, level, enrolled_at ON anytime_tests WHEN OLD.number IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a level is fixed with the first bar'); END;
CREATE TRIGGER anytime_tests_are_kept BEFORE DELETE ON anytime_tests
BEGIN SELECT RAISE(ABORT, 'tests are kept'); END;
