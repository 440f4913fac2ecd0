-- All tables and indexes, for both engines.
--
-- Times are unix milliseconds, where nothing else is said; 0 is "not yet". Those
-- that people read go by the clock of the console that wrote them; budgets,
-- leases, waits and starts go by the database's. Ids are made in Go and sort by
-- time. "Derived" is what other tables tell too; it stands here to be found fast.

-- +goose Up

-- Apps

CREATE TABLE apps (
    id                TEXT PRIMARY KEY,
    name              TEXT   NOT NULL, -- from here to rate: as configured when a console last started
    environment       TEXT   NOT NULL,
    sdkappid          BIGINT NOT NULL,
    domain            TEXT   NOT NULL,
    family            TEXT   NOT NULL,
    identifier        TEXT   NOT NULL,
    rate              BIGINT NOT NULL, -- calls a second, for each command
    rate_set          BIGINT NOT NULL DEFAULT 0, -- calls a second an admin chose; 0: as configured
    failure_limit     BIGINT NOT NULL DEFAULT 20, -- percent of failures at which a job halts; 100: never
    canary            BIGINT NOT NULL DEFAULT 1, -- 1: the first 1, 10, 100 and 1,000 accounts of a job are gates
    snapshot          BIGINT NOT NULL DEFAULT 1, -- 1: tags are read and kept before they are removed
    keep_days         BIGINT NOT NULL DEFAULT 30, -- how long after a job's end its tags are kept
    verify_share      BIGINT NOT NULL DEFAULT 10000, -- millionths of a job's batches that are read again after it
    first_job         TEXT   NOT NULL DEFAULT '', -- served before all others
    probe_at          BIGINT NOT NULL DEFAULT 0, -- > 0: one call at a time, not before this, until one is answered well
    probe_wait        BIGINT NOT NULL DEFAULT 0, -- milliseconds until the next probe
    protected_version BIGINT NOT NULL DEFAULT 0 -- counts the changes of protected_accounts
);

-- When calls of one command of one app may leave, whichever job or console sends
-- them. Both times are unix microseconds.
CREATE TABLE budgets (
    app_id    TEXT   NOT NULL REFERENCES apps (id),
    command   TEXT   NOT NULL,
    next_slot BIGINT NOT NULL, -- the next free one
    pace      BIGINT NOT NULL DEFAULT 0, -- thousandths of a call a second, as it was at paced_at; 0: never slowed down
    paced_at  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (app_id, command)
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

-- What a person said about files with one header; later files are read so too.
CREATE TABLE mappings (
    app_id   TEXT   NOT NULL REFERENCES apps (id),
    shape    TEXT   NOT NULL, -- stands for the header, see accounts.Understanding
    choices  TEXT   NOT NULL, -- JSON
    header   TEXT   NOT NULL, -- JSON: the header they led to
    saved_by TEXT   NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, shape)
);

-- Row 1 stops all sending, of every app, while thrown_at is not 0. Row 2 follows
-- it: claims lock that one, so that those under way can be waited for without
-- new ones getting ahead.
CREATE TABLE kill_switch (
    id        BIGINT PRIMARY KEY,
    thrown_at BIGINT NOT NULL,
    thrown_by TEXT   NOT NULL,
    reason    TEXT   NOT NULL
);

INSERT INTO kill_switch (id, thrown_at, thrown_by, reason) VALUES (1, 0, '', ''), (2, 0, '', '');

-- Users

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    name          TEXT   NOT NULL UNIQUE,
    role          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT NOT NULL DEFAULT 0,
    last_sign_in  BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY, -- public
    token_hash TEXT   NOT NULL UNIQUE, -- hex SHA-256 of the cookie's secret
    user_id    TEXT   NOT NULL REFERENCES users (id),
    data       TEXT   NOT NULL, -- JSON
    address    TEXT   NOT NULL,
    user_agent TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Failed sign-ins by "name@address" and by "@address".
CREATE TABLE sign_in_failures (
    source   TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at  BIGINT NOT NULL
);

-- Uploads

-- A file as it was uploaded, kept as evidence.
CREATE TABLE uploads (
    sha256     TEXT PRIMARY KEY, -- hex, of the whole file
    bytes      BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE upload_chunks (
    sha256 TEXT   NOT NULL REFERENCES uploads (sha256),
    number BIGINT NOT NULL, -- from 0
    data   BYTEA  NOT NULL, -- a MiB of the file, compressed by zstd
    PRIMARY KEY (sha256, number)
);

-- Jobs

-- At every commit: row_count = rejected + duplicate + protected + accounts, and
-- accounts = the sum of the outcome_ columns. These counts are derived, from
-- set_asides, planned_batches, batches and own_outcomes.
CREATE TABLE jobs (
    id                 TEXT PRIMARY KEY,
    app_id             TEXT   NOT NULL REFERENCES apps (id),
    kind               TEXT   NOT NULL, -- see jobs.Kind
    state              TEXT   NOT NULL, -- see jobs.State
    note               TEXT   NOT NULL,
    source             TEXT   NOT NULL DEFAULT '', -- the job whose accounts these are; '': they were uploaded
    policy             TEXT   NOT NULL DEFAULT '', -- of a restore, see snapshot.Policy
    only_tags          TEXT   NOT NULL DEFAULT '', -- JSON: of what is put back or taken away again, only these tags; '': all
    version            BIGINT NOT NULL DEFAULT 1, -- counts the job's changes
    created_by         TEXT   NOT NULL,
    created_at         BIGINT NOT NULL,
    started_by         TEXT   NOT NULL DEFAULT '',
    started_at         BIGINT NOT NULL DEFAULT 0,
    start_at           BIGINT NOT NULL DEFAULT 0, -- nothing is sent before
    finished_at        BIGINT NOT NULL DEFAULT 0,
    sealed             BIGINT NOT NULL DEFAULT 0, -- the number of the entry that seals the job; 0: it has not ended, or is not sealed yet

    -- its file and how it was read
    file_name          TEXT   NOT NULL,
    file_sha256        TEXT   NOT NULL REFERENCES uploads (sha256),
    file_bytes         BIGINT NOT NULL,
    account_bytes      BIGINT NOT NULL, -- how long an account may be
    choices            TEXT   NOT NULL DEFAULT '', -- JSON: what a person said about the file
    understanding      TEXT   NOT NULL DEFAULT '', -- JSON: how the file was read; '': it was not, or is to be understood anew
    understood_by      TEXT   NOT NULL DEFAULT '',
    understood_at      BIGINT NOT NULL DEFAULT 0,
    understood_earlier BIGINT NOT NULL DEFAULT 0, -- 1: said of an earlier file with the same header
    reader             TEXT   NOT NULL DEFAULT '', -- the reading that is under way, or has left what was read
    reader_until       BIGINT NOT NULL DEFAULT 0,
    reading            TEXT   NOT NULL DEFAULT '', -- the reading that its rows come from
    read_done          BIGINT NOT NULL DEFAULT 0, -- thousandths
    read_rows          BIGINT NOT NULL DEFAULT 0,
    refusal            TEXT   NOT NULL DEFAULT '', -- JSON: why the file could not be read
    unusual            TEXT   NOT NULL DEFAULT '', -- JSON: how many accounts hold unusual characters, and the first
    protected_version  BIGINT NOT NULL DEFAULT 0, -- of the app's list when the file was read

    -- its rows and what became of them
    row_count          BIGINT NOT NULL DEFAULT 0,
    rejected           BIGINT NOT NULL DEFAULT 0,
    duplicate          BIGINT NOT NULL DEFAULT 0,
    protected          BIGINT NOT NULL DEFAULT 0,
    accounts           BIGINT NOT NULL DEFAULT 0,
    outcome_waiting    BIGINT NOT NULL DEFAULT 0,
    outcome_sending    BIGINT NOT NULL DEFAULT 0,
    outcome_in_doubt   BIGINT NOT NULL DEFAULT 0,
    outcome_cleared    BIGINT NOT NULL DEFAULT 0,
    outcome_inspected  BIGINT NOT NULL DEFAULT 0,
    outcome_restored   BIGINT NOT NULL DEFAULT 0,
    outcome_changed    BIGINT NOT NULL DEFAULT 0,
    outcome_untagged   BIGINT NOT NULL DEFAULT 0,
    outcome_unchanged  BIGINT NOT NULL DEFAULT 0,
    outcome_skipped    BIGINT NOT NULL DEFAULT 0,
    outcome_failed     BIGINT NOT NULL DEFAULT 0,
    outcome_cancelled  BIGINT NOT NULL DEFAULT 0,
    batches            BIGINT NOT NULL DEFAULT 0, -- of the plan
    calls              BIGINT NOT NULL DEFAULT 0, -- that were sent or may have been

    -- how it is sent
    snapshot           BIGINT NOT NULL DEFAULT 0, -- 1: its accounts' tags are kept before they are changed
    claimed_at         BIGINT NOT NULL DEFAULT 0, -- unix microseconds: when it last had its turn
    gate               BIGINT NOT NULL DEFAULT 0, -- only the first so many accounts may be sent yet; 0: all
    failure_limit      BIGINT NOT NULL DEFAULT 0, -- percent, raised by a person who resumed; 0: the app's
    checked_done       BIGINT NOT NULL DEFAULT 0, -- accounts settled when failures were last judged
    checked_failed     BIGINT NOT NULL DEFAULT 0, -- of them: those that failed
    halt_code          BIGINT NOT NULL DEFAULT 0, -- > 0: the service's, < 0: ours, 0: not halted
    halt_info          TEXT   NOT NULL DEFAULT '',

    -- how it is verified
    verify_share       BIGINT NOT NULL DEFAULT 0, -- millionths of its batches
    verify_seed        TEXT   NOT NULL DEFAULT '', -- draws them
    verify_left        BIGINT NOT NULL DEFAULT 0, -- batches, or parts of them, that are to be read again; derived from batches
    verified           BIGINT NOT NULL DEFAULT 0, -- accounts that were read again
    reopened           BIGINT NOT NULL DEFAULT 0 -- of them: those that were not as they should be
);

CREATE INDEX jobs_open ON jobs (app_id, state) WHERE finished_at = 0;
CREATE INDEX jobs_by_end ON jobs (app_id, finished_at);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_file ON jobs (file_sha256);
CREATE INDEX jobs_by_origin ON jobs (source) WHERE source <> '';
CREATE INDEX jobs_to_read ON jobs (id) WHERE state = 'reading' OR reader <> '';
CREATE INDEX jobs_to_seal ON jobs (id) WHERE finished_at > 0 AND started_at > 0 AND sealed = 0;

-- How many accounts two jobs share; written when the later one is read. Derived
-- from account_names.
CREATE TABLE shared_accounts (
    job_id   TEXT   NOT NULL REFERENCES jobs (id),
    other_id TEXT   NOT NULL REFERENCES jobs (id),
    accounts BIGINT NOT NULL,
    PRIMARY KEY (job_id, other_id)
);

CREATE INDEX shared_accounts_by_other ON shared_accounts (other_id);

-- The plan of a job: its accounts as the file gave them, a batch a row. A place
-- (first, seq) is that of an account in its job, from 1. Written once, when the
-- file is read.
CREATE TABLE planned_batches (
    job_id    TEXT   NOT NULL REFERENCES jobs (id),
    number    BIGINT NOT NULL, -- from 1; its accounts begin with place (number-1)*100+1
    first_row BIGINT NOT NULL, -- of the file; derived from accounts, as is size
    size      BIGINT NOT NULL,
    accounts  TEXT   NOT NULL, -- a line for each, see jobs.PlannedBatch
    PRIMARY KEY (job_id, number)
);

CREATE INDEX planned_batches_by_row ON planned_batches (job_id, first_row);

-- The same accounts sorted by their bytes, to find them by. Derived from planned_batches.
CREATE TABLE account_names (
    job_id TEXT  NOT NULL REFERENCES jobs (id),
    first  BYTEA NOT NULL, -- the first of them
    names  TEXT  NOT NULL, -- see jobs.Names
    PRIMARY KEY (job_id, first)
);

-- Rows of the file that did not become accounts.
CREATE TABLE set_asides (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    row_number BIGINT NOT NULL,
    line       BIGINT NOT NULL, -- of the file
    kind       TEXT   NOT NULL, -- rejected, duplicate, protected
    value      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    repeats    BIGINT NOT NULL DEFAULT 0, -- the row of which it is a duplicate; 0: it is none
    PRIMARY KEY (job_id, row_number)
);

-- How many there are for each reason. Derived from set_asides.
CREATE TABLE set_aside_groups (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    kind       TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    row_count  BIGINT NOT NULL,
    first_rows TEXT   NOT NULL, -- JSON: the numbers of the first ten
    PRIMARY KEY (job_id, kind, reason)
);

-- Batches

-- A batch is a range of a job's accounts, first … first+size-1, and holds the
-- outcome of every account in it that has none of its own. So an account
-- always has exactly one outcome, and a batch that goes through whole is
-- settled by one row. Splitting a batch splits its range.
CREATE TABLE batches (
    job_id      TEXT   NOT NULL REFERENCES jobs (id),
    first       BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    number      BIGINT NOT NULL, -- of the plan, from 1; the parts of a split batch share it
    pending     BIGINT NOT NULL, -- accounts without an outcome of their own; derived from own_outcomes
    outcome     TEXT   NOT NULL, -- see jobs.Outcome
    code        BIGINT NOT NULL DEFAULT 0, -- > 0: the service's, < 0: ours
    message     TEXT   NOT NULL DEFAULT '',
    settled_at  BIGINT NOT NULL DEFAULT 0,
    next        TEXT   NOT NULL DEFAULT '', -- the command it waits for or was taken for, or 'verify'; '': none
    ask         BIGINT NOT NULL DEFAULT 0, -- 1: in doubt until a person decides
    tries       BIGINT NOT NULL DEFAULT 0,
    lost        BIGINT NOT NULL DEFAULT 0, -- calls in a row, made to change tags, that stayed without an answer
    touched     BIGINT NOT NULL DEFAULT 0, -- 1: a call that changes tags may have left for it
    change      BYTEA, -- sealed: the tags the next call adds or removes
    read_at     BIGINT NOT NULL DEFAULT 0, -- when the tags were read that the next call changes; 0: not
    not_before  BIGINT NOT NULL DEFAULT 0,
    lease       TEXT   NOT NULL DEFAULT '', -- the id of the call that holds or last held it
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, first)
);

-- Nearly every batch has ended or waits, and is asked for by nothing but these.
-- One that goes through is taken out of the first when it is claimed, and stands
-- in the second meanwhile. The first is in another order than the primary key, so
-- that no planner takes that one instead and reads all that has ended.
CREATE INDEX batches_free ON batches (job_id, next, outcome, number, first) WHERE next <> '' AND lease_until = 0;
CREATE INDEX batches_held ON batches (job_id, first) WHERE lease_until > 0;
CREATE INDEX batches_asked ON batches (job_id) WHERE ask = 1;
CREATE INDEX batches_failed ON batches (job_id, code) WHERE outcome = 'failed';

-- Accounts with another outcome than their batch. 'set_aside': it was taken out
-- of the job before it was sent, and stands in set_asides.
CREATE TABLE own_outcomes (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    seq        BIGINT NOT NULL,
    outcome    TEXT   NOT NULL,
    code       BIGINT NOT NULL DEFAULT 0,
    message    TEXT   NOT NULL DEFAULT '',
    settled_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, seq)
);

CREATE INDEX own_outcomes_by_code ON own_outcomes (job_id, outcome, code);

-- The ledger: a call is written down before it leaves, and completed after.
CREATE TABLE calls (
    id          TEXT PRIMARY KEY,
    job_id      TEXT   NOT NULL REFERENCES jobs (id),
    batch       BIGINT NOT NULL, -- batches.number
    first       BIGINT NOT NULL, -- of the part of it that the call was made for
    accounts    BIGINT NOT NULL, -- how many it took
    command     TEXT   NOT NULL,
    random      BIGINT NOT NULL, -- was sent with it
    delivery    TEXT   NOT NULL, -- intended, not_sent, answered, lost
    sent_at     BIGINT NOT NULL, -- of an intended call: when it was intended
    duration    BIGINT NOT NULL DEFAULT 0, -- microseconds
    http_status BIGINT NOT NULL DEFAULT 0,
    code        BIGINT NOT NULL DEFAULT 0,
    message     TEXT   NOT NULL DEFAULT ''
);

CREATE INDEX calls_by_job ON calls (job_id, sent_at);
-- The calls of a batch: those an account was in, and, of a batch in parts, those that were refused.
CREATE INDEX calls_by_batch ON calls (job_id, batch);

-- Tags

-- The key with which the tags of a job are encrypted, itself encrypted; without
-- it they are erased.
CREATE TABLE snapshot_keys (
    job_id    TEXT PRIMARY KEY REFERENCES jobs (id),
    wrapped   BYTEA  NOT NULL, -- empty once it was erased
    erase_at  BIGINT NOT NULL DEFAULT 0, -- 0: not yet known, for the job has not ended
    erased_at BIGINT NOT NULL DEFAULT 0,
    erased_by TEXT   NOT NULL DEFAULT ''
);

CREATE INDEX snapshot_keys_due ON snapshot_keys (erase_at) WHERE erased_at = 0;

-- The tags accounts had before they were changed, a batch of the plan a row.
CREATE TABLE snapshots (
    job_id TEXT   NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL,
    data   BYTEA  NOT NULL, -- sealed, see snapshot.Seal; empty once it was erased
    digest TEXT   NOT NULL, -- SHA-256 of data, which stays
    PRIMARY KEY (job_id, number)
);

-- The tags a job is to add or remove, a batch of the plan a row.
CREATE TABLE wanted_tags (
    job_id TEXT   NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL,
    data   BYTEA  NOT NULL, -- sealed
    PRIMARY KEY (job_id, number)
);

-- What a job's accounts had in tags, summed up when it ended. Derived from
-- snapshots, which it outlives.
CREATE TABLE tag_reports (
    job_id TEXT PRIMARY KEY REFERENCES jobs (id),
    report TEXT NOT NULL -- JSON, see snapshot.Report
);

-- The audit log: a Merkle tree. docs/audit.md says what each part is for.

-- Its one row gives entries their numbers, one transaction at a time, and holds
-- what the tree needs to grow. It is made with the log's name, see nameLog.
CREATE TABLE audit_head (
    id          BIGINT PRIMARY KEY,
    origin      TEXT   NOT NULL, -- names the log in its checkpoints
    seq         BIGINT NOT NULL, -- of the last entry
    edge        BYTEA  NOT NULL DEFAULT '', -- see audit.Tree; derived from audit_lines, as is reached
    reached     BIGINT NOT NULL DEFAULT 0,
    keep_months BIGINT NOT NULL DEFAULT 0, -- 0: entries are kept for ever
    removed     BIGINT NOT NULL DEFAULT 0, -- entries up to this one were removed, but for those that prove something
    checked_at  BIGINT NOT NULL DEFAULT 0, -- when all was last verified
    checked     TEXT   NOT NULL DEFAULT '' -- JSON: what came of it
);

-- An entry as it is hashed. What it is found by stands beside it, derived from it.
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

-- The words of entries, see audit.Entry.Terms. Derived from audit_lines.
CREATE TABLE audit_words (
    word TEXT   NOT NULL,
    seq  BIGINT NOT NULL,
    PRIMARY KEY (word, seq)
);

-- The hashes of the tree, numbered as tlog.StoredHashIndex does. Derived from
-- audit_lines; they stay when an entry is removed.
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
