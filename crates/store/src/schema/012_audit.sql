-- What people did, each row with the hash of the one before it: whoever changes or takes away a row breaks the chain.
CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    time     TEXT NOT NULL,
    actor    TEXT NOT NULL CHECK (actor <> ''),
    act      TEXT NOT NULL CHECK (act <> ''),
    subject  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    details  TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL UNIQUE
) STRICT;

CREATE TRIGGER acts_stay BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'what was done stays as it was'); END;
CREATE TRIGGER acts_are_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'what was done is kept'); END;
