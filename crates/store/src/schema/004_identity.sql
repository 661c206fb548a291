-- Which database this is. Models folders name the one that they belong to; a copy in a backup keeps the identity.
CREATE TABLE identity (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    id         TEXT NOT NULL CHECK (length(id) > 0),
    created_at TEXT NOT NULL
) STRICT;
