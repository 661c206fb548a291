-- Champions that a watch took back, and the arms that are in quarantine for it. A row comes with the pending promotion of
-- the rollback, in one transaction, and means something where that is committed. A model without an arm quarantines none.
CREATE TABLE guarded_rollbacks (
    line              TEXT NOT NULL,
    sequence          INTEGER NOT NULL,
    model             TEXT NOT NULL,
    arm               TEXT REFERENCES arms (id),
    rule              TEXT NOT NULL,
    sentence          TEXT NOT NULL,
    quarantined_until TEXT,
    PRIMARY KEY (line, sequence),
    FOREIGN KEY (line, sequence) REFERENCES promotions (line, sequence),
    CHECK ((arm IS NULL) = (quarantined_until IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX guarded_rollbacks_of_an_arm ON guarded_rollbacks (arm) WHERE arm IS NOT NULL;
CREATE TRIGGER guarded_rollbacks_stay BEFORE UPDATE ON guarded_rollbacks
BEGIN SELECT RAISE(ABORT, 'a quarantine is never changed, only released'); END;
CREATE TRIGGER guarded_rollbacks_are_kept BEFORE DELETE ON guarded_rollbacks
BEGIN SELECT RAISE(ABORT, 'quarantines are kept'); END;

-- Quarantines that somebody ended before their time.
CREATE TABLE quarantine_releases (
    line        TEXT NOT NULL,
    sequence    INTEGER NOT NULL,
    released_at TEXT NOT NULL,
    released_by TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (line, sequence),
    FOREIGN KEY (line, sequence) REFERENCES guarded_rollbacks (line, sequence)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER quarantine_releases_stay BEFORE UPDATE ON quarantine_releases
BEGIN SELECT RAISE(ABORT, 'a release is never changed'); END;
CREATE TRIGGER quarantine_releases_are_kept BEFORE DELETE ON quarantine_releases
BEGIN SELECT RAISE(ABORT, 'releases are kept'); END;
