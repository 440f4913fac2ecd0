-- The log as a Merkle tree. docs/audit.md says what each part is for.

-- +goose Up

-- Its one row gives entries their numbers and holds what the tree needs to grow.
ALTER TABLE audit_head ADD COLUMN origin TEXT NOT NULL DEFAULT ''; -- names the log in its checkpoints
ALTER TABLE audit_head ADD COLUMN edge BYTEA NOT NULL DEFAULT ''; -- see audit.Tree
ALTER TABLE audit_head ADD COLUMN reached BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_head ADD COLUMN keep_months BIGINT NOT NULL DEFAULT 0; -- 0: entries are kept for ever
ALTER TABLE audit_head ADD COLUMN removed BIGINT NOT NULL DEFAULT 0; -- entries up to this one were removed, but for those that prove something
ALTER TABLE audit_head ADD COLUMN checked_at BIGINT NOT NULL DEFAULT 0; -- when all was last verified
ALTER TABLE audit_head ADD COLUMN checked TEXT NOT NULL DEFAULT ''; -- JSON: what came of it

-- An entry as it is hashed. What it is found by stands beside it.
CREATE TABLE audit_lines (
    seq      BIGINT PRIMARY KEY,
    line     TEXT   NOT NULL, -- the leaf of the tree, see audit.Written
    personal TEXT   NOT NULL, -- '' once it was erased
    at       BIGINT NOT NULL,
    reached  BIGINT NOT NULL, -- the latest time in the log so far: clocks may be set back
    code     TEXT   NOT NULL,
    failed   BIGINT NOT NULL, -- 1: see audit.Code.Failure
    actor    TEXT   NOT NULL, -- the name in lower case; '' once it was erased
    job_id   TEXT   NOT NULL
);

CREATE INDEX audit_lines_by_time ON audit_lines (reached, seq);
CREATE INDEX audit_lines_by_code ON audit_lines (code, seq);
CREATE INDEX audit_lines_by_actor ON audit_lines (actor, seq);
CREATE INDEX audit_lines_by_actor_and_code ON audit_lines (actor, code, seq);
CREATE INDEX audit_lines_by_job ON audit_lines (job_id, seq) WHERE job_id <> '';
CREATE INDEX audit_lines_failed ON audit_lines (seq) WHERE failed = 1;
CREATE INDEX audit_lines_failed_by_actor ON audit_lines (actor, seq) WHERE failed = 1;

-- The words of entries, see audit.Entry.Terms.
CREATE TABLE audit_words (
    word TEXT   NOT NULL,
    seq  BIGINT NOT NULL,
    PRIMARY KEY (word, seq)
);

-- The hashes of the tree, numbered as tlog.StoredHashIndex does. They stay when
-- an entry is removed.
CREATE TABLE audit_hashes (
    number BIGINT PRIMARY KEY,
    hash   BYTEA  NOT NULL
);

CREATE TABLE checkpoints (
    size BIGINT PRIMARY KEY, -- entries
    at   BIGINT NOT NULL,
    note TEXT   NOT NULL -- signed, see audit.Checkpoint
);

-- Up to which checkpoint each destination has been sent.
CREATE TABLE publications (
    destination TEXT PRIMARY KEY,
    size        BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    trouble     TEXT   NOT NULL DEFAULT '' -- why the last attempt failed
);

-- The number of the entry that seals the job; 0: it has not ended, or is not sealed yet.
ALTER TABLE jobs ADD COLUMN sealed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX jobs_to_seal ON jobs (id) WHERE finished_at > 0 AND started_at > 0 AND sealed = 0;
