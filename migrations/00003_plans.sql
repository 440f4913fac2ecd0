-- The accounts of a job are kept as its file gave them, a batch a row, and once
-- more sorted by name; what became of a single account stands beside them.

-- +goose Up

ALTER TABLE apps ADD COLUMN protected_version BIGINT NOT NULL DEFAULT 0;

ALTER TABLE jobs ADD COLUMN choices TEXT NOT NULL DEFAULT ''; -- JSON: what a person said about the file
ALTER TABLE jobs ADD COLUMN understanding TEXT NOT NULL DEFAULT ''; -- JSON: how the file was read
ALTER TABLE jobs ADD COLUMN understood_by TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN understood_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN understood_earlier BIGINT NOT NULL DEFAULT 0; -- 1: said of an earlier file with the same header
ALTER TABLE jobs ADD COLUMN reader TEXT NOT NULL DEFAULT ''; -- the reading that is under way, or has left what was read
ALTER TABLE jobs ADD COLUMN reader_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN reading TEXT NOT NULL DEFAULT ''; -- the reading that its rows come from
ALTER TABLE jobs ADD COLUMN read_done BIGINT NOT NULL DEFAULT 0; -- thousandths
ALTER TABLE jobs ADD COLUMN read_rows BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN refusal TEXT NOT NULL DEFAULT ''; -- JSON: why the file could not be read
ALTER TABLE jobs ADD COLUMN unusual TEXT NOT NULL DEFAULT ''; -- JSON: how many accounts hold unusual characters, and the first
ALTER TABLE jobs ADD COLUMN protected_version BIGINT NOT NULL DEFAULT 0; -- of the list it was checked against

CREATE INDEX jobs_to_read ON jobs (id) WHERE state = 'reading' OR reader <> '';
CREATE INDEX jobs_by_file ON jobs (file_sha256);

-- Batches of the plan, never changed: a line for each account, see jobs.PlannedBatch.
CREATE TABLE planned_batches (
    job_id    TEXT   NOT NULL REFERENCES jobs (id),
    number    BIGINT NOT NULL, -- from 1; its accounts begin with number (number-1)*100+1 of the job
    first_row BIGINT NOT NULL,
    size      BIGINT NOT NULL,
    accounts  TEXT   NOT NULL,
    PRIMARY KEY (job_id, number)
);

CREATE INDEX planned_batches_by_row ON planned_batches (job_id, first_row);

-- The same accounts sorted by their bytes, to find them by, see jobs.Names.
CREATE TABLE account_names (
    job_id TEXT  NOT NULL REFERENCES jobs (id),
    first  BYTEA NOT NULL,
    names  TEXT  NOT NULL,
    PRIMARY KEY (job_id, first)
);

-- Accounts with another outcome than their batch. 'set_aside': it was taken out
-- of the job before it was sent, and stands in set_asides.
CREATE TABLE own_outcomes (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    seq        BIGINT NOT NULL, -- place in the job, from 1
    outcome    TEXT   NOT NULL,
    code       BIGINT NOT NULL DEFAULT 0,
    message    TEXT   NOT NULL DEFAULT '',
    settled_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, seq)
);

CREATE INDEX own_outcomes_by_code ON own_outcomes (job_id, outcome, code);

CREATE TABLE set_aside_groups (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    kind       TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    row_count  BIGINT NOT NULL,
    first_rows TEXT   NOT NULL, -- JSON: the numbers of the first ten
    PRIMARY KEY (job_id, kind, reason)
);

-- How many accounts two jobs share; written when the later one is read.
CREATE TABLE shared_accounts (
    job_id   TEXT   NOT NULL REFERENCES jobs (id),
    other_id TEXT   NOT NULL REFERENCES jobs (id),
    accounts BIGINT NOT NULL,
    PRIMARY KEY (job_id, other_id)
);

CREATE INDEX shared_accounts_by_other ON shared_accounts (other_id);

-- What a person said about files with this header.
CREATE TABLE mappings (
    app_id   TEXT   NOT NULL REFERENCES apps (id),
    shape    TEXT   NOT NULL, -- see accounts.Understanding
    choices  TEXT   NOT NULL, -- JSON
    header   TEXT   NOT NULL, -- JSON: the header they led to
    saved_by TEXT   NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, shape)
);

-- Accounts that no job may touch.
CREATE TABLE protected_accounts (
    app_id   TEXT   NOT NULL REFERENCES apps (id),
    account  TEXT   NOT NULL,
    note     TEXT   NOT NULL,
    added_by TEXT   NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, account)
);

INSERT INTO own_outcomes (job_id, seq, outcome, code, message, settled_at)
SELECT job_id, seq, outcome, code, message, settled_at FROM accounts WHERE outcome IS NOT NULL;
