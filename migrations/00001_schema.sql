-- All tables and indexes, for both engines.
--
-- Times are unix milliseconds, where nothing else is said; 0 is "not yet". Those
-- that people read go by the clock of the console that wrote them; budgets,
-- heartbeats, waits and starts go by the database's. Ids are made in Go and sort by
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
    canary            BIGINT NOT NULL DEFAULT 1, -- 1: the first batch of a job must go well before the others are sent
    snapshot          BIGINT NOT NULL DEFAULT 1, -- 1: tags are read and kept before they are removed
    keep_days         BIGINT NOT NULL DEFAULT 30, -- how long after a job's end its tags are kept
    verify_share      BIGINT NOT NULL DEFAULT 10000, -- millionths of a job's batches that are inspected after it
    approve_above     BIGINT NOT NULL DEFAULT 0, -- from here to others_run: see jobs.Settings
    approve_other     BIGINT NOT NULL DEFAULT 0,
    approvers         TEXT   NOT NULL DEFAULT '',
    approval_hours    BIGINT NOT NULL DEFAULT 0,
    once_operator     BIGINT NOT NULL DEFAULT 0,
    once_admin        BIGINT NOT NULL DEFAULT 0,
    daily_operator    BIGINT NOT NULL DEFAULT 0,
    daily_admin       BIGINT NOT NULL DEFAULT 0,
    ask_again         BIGINT NOT NULL DEFAULT 0,
    others_stop       BIGINT NOT NULL DEFAULT 1, -- 1: operators pause and cancel the jobs of others
    others_run        BIGINT NOT NULL DEFAULT 0, -- 1: and do everything else with them
    first_job         TEXT   NOT NULL DEFAULT '', -- served before all others
    turns             BIGINT NOT NULL DEFAULT 0, -- counts the jobs that were started or resumed
    probe_at          BIGINT NOT NULL DEFAULT 0, -- > 0: one batch at a time, not before this, until one goes through
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
    entry    BIGINT NOT NULL, -- of the log that put it on the list
    salt     TEXT   NOT NULL, -- of the digest in that entry
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

-- Its one row stops all sending, of every app, while thrown_at is not 0.
CREATE TABLE kill_switch (
    id        BIGINT PRIMARY KEY,
    thrown_at BIGINT NOT NULL,
    thrown_by TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    hold      TEXT   NOT NULL DEFAULT '' -- names a hold because the database is an older copy; '': a person threw it
);

INSERT INTO kill_switch (id, thrown_at, thrown_by, reason) VALUES (1, 0, '', '');

-- Its one row counts the batches that were about to be sent, of every app. Each console
-- saves the number and the last of them outside the database before the call leaves: a
-- database that counts fewer, or does not have that one, is an older copy.
CREATE TABLE sends (
    id     BIGINT PRIMARY KEY,
    sent   BIGINT NOT NULL,
    last   TEXT   NOT NULL DEFAULT '', -- a call of the last batch that was counted; '': none was
    lifted BIGINT NOT NULL DEFAULT 0, -- the number with which sending was last resumed from an older copy; 0: never
    known  BIGINT NOT NULL DEFAULT 0, -- the highest number from outside with which it was found to be older; 0: it was not
    seen   BIGINT NOT NULL DEFAULT 0 -- when that one was saved
);

INSERT INTO sends (id, sent) VALUES (1, 0);

-- Users

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    name          TEXT   NOT NULL,
    folded_name   TEXT   NOT NULL UNIQUE, -- in lower case
    role          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT NOT NULL DEFAULT 0,
    last_sign_in  BIGINT NOT NULL DEFAULT 0,
    language      TEXT   NOT NULL DEFAULT '', -- from here: see auth.Preferences
    time_zone     TEXT   NOT NULL DEFAULT '',
    theme         TEXT   NOT NULL DEFAULT ''
);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY, -- public
    user_id    TEXT   NOT NULL REFERENCES users (id),
    data       TEXT   NOT NULL, -- JSON
    address    TEXT   NOT NULL,
    user_agent TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    authenticated_at BIGINT NOT NULL DEFAULT 0 -- when the password was typed last
);

CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Tokens of people for their scripts.
CREATE TABLE tokens (
    id         TEXT PRIMARY KEY, -- public; a hash of the secret
    user_id    TEXT   NOT NULL REFERENCES users (id),
    name       TEXT   NOT NULL,
    rights     TEXT   NOT NULL, -- permissions, with spaces between
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0,
    used_at    BIGINT NOT NULL DEFAULT 0,
    used_from  TEXT   NOT NULL DEFAULT ''
);

CREATE INDEX tokens_by_user ON tokens (user_id, created_at);

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
    approved_by        TEXT   NOT NULL DEFAULT '', -- the second person; '': none was needed
    emergency          TEXT   NOT NULL DEFAULT '', -- why an admin started it although a second person was needed
    start_at           BIGINT NOT NULL DEFAULT 0, -- nothing is sent before
    finished_at        BIGINT NOT NULL DEFAULT 0,
    restored_at        BIGINT NOT NULL DEFAULT 0, -- when the database was found to be an older copy, and the job had not ended: it may have been sent since
    sealed             BIGINT NOT NULL DEFAULT 0, -- the number of the entry that seals the job; 0: it has not ended, or is not sealed yet

    -- its file and how it was read
    file_name          TEXT   NOT NULL,
    file_sha256        TEXT   NOT NULL REFERENCES uploads (sha256),
    file_bytes         BIGINT NOT NULL,
    account_bytes      BIGINT NOT NULL, -- how long an account may be
    choices            TEXT   NOT NULL DEFAULT '', -- JSON: what a person said about the file
    understanding      TEXT   NOT NULL DEFAULT '', -- JSON: how the file was read; '': it was not, or is to be understood anew
    unsure             TEXT   NOT NULL DEFAULT '', -- the names of its open questions, as "column,unlike"; derived from it
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
    plan_sha256        TEXT   NOT NULL DEFAULT '', -- hex, of the texts of its planned batches in order; '': it has none

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
    turn               BIGINT NOT NULL DEFAULT 0, -- of jobs that share accounts the lower one goes first; see apps.turns
    careful            BIGINT NOT NULL DEFAULT 0, -- 1: only its first batch may be sent yet
    failure_limit      BIGINT NOT NULL DEFAULT 0, -- percent, raised by a person who resumed; 0: the app's
    checked_done       BIGINT NOT NULL DEFAULT 0, -- accounts settled when failures were last judged
    checked_failed     BIGINT NOT NULL DEFAULT 0, -- of them: those that failed
    halt_code          BIGINT NOT NULL DEFAULT 0, -- > 0: the service's, < 0: ours, 0: not halted
    halt_info          TEXT   NOT NULL DEFAULT '',
    halt_recovers      BIGINT NOT NULL DEFAULT 0, -- 1: it goes on by itself once the service works; derived from halt_code

    -- how it is verified
    verify_share       BIGINT NOT NULL DEFAULT 0, -- millionths of its batches
    verify_seed        TEXT   NOT NULL DEFAULT '', -- draws them
    verify_due         BIGINT NOT NULL DEFAULT 0, -- 1: the inspection of them is still to be made
    checks             TEXT   NOT NULL DEFAULT '' -- of such an inspection: the kind of the job it verifies
);

CREATE INDEX jobs_open ON jobs (app_id, state) WHERE finished_at = 0;
CREATE INDEX jobs_by_end ON jobs (app_id, finished_at);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_file ON jobs (file_sha256);
CREATE INDEX jobs_by_origin ON jobs (source) WHERE source <> '';
CREATE INDEX jobs_to_read ON jobs (id) WHERE state = 'reading' OR reader <> '';
CREATE INDEX jobs_to_verify ON jobs (id) WHERE verify_due = 1;
CREATE INDEX jobs_to_seal ON jobs (id) WHERE finished_at > 0 AND started_at > 0 AND sealed = 0;

-- What waits for a second person, and what became of it. One waits for a job at most.
CREATE TABLE approvals (
    id         TEXT PRIMARY KEY,
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    action     TEXT   NOT NULL, -- see jobs.Action
    policy     TEXT   NOT NULL, -- of a restore that is resumed
    start_at   BIGINT NOT NULL, -- of a start; 0: at once
    terms      TEXT   NOT NULL, -- the SHA-256 of what is to run
    note       TEXT   NOT NULL,
    asker      TEXT   NOT NULL, -- JSON: the actor who asked
    asked_by   TEXT   NOT NULL, -- the name
    asked_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- waiting, approved, refused, withdrawn, void
    decided_by TEXT   NOT NULL DEFAULT '',
    decided_at BIGINT NOT NULL DEFAULT 0,
    reason     TEXT   NOT NULL DEFAULT '',
    seen       BIGINT NOT NULL DEFAULT 0 -- 1: who asked has seen the decision
);

CREATE UNIQUE INDEX approvals_waiting ON approvals (job_id) WHERE state = 'waiting';
CREATE INDEX approvals_by_job ON approvals (job_id, id);
CREATE INDEX approvals_unseen ON approvals (asked_by) WHERE seen = 0 AND state IN ('approved', 'refused', 'void');

-- How many accounts two jobs share, a row for each of the two; written when the
-- later one is read. Derived from account_names.
CREATE TABLE shared_accounts (
    job_id   TEXT   NOT NULL REFERENCES jobs (id),
    other_id TEXT   NOT NULL REFERENCES jobs (id),
    accounts BIGINT NOT NULL,
    PRIMARY KEY (job_id, other_id)
);

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

-- A console that lives writes its heartbeat. One that has been silent for 20 s has
-- lost the batches it had in hand.
CREATE TABLE consoles (
    id      TEXT PRIMARY KEY,
    app_id  TEXT   NOT NULL DEFAULT '', -- it makes the calls of
    seen_at BIGINT NOT NULL
);

-- What has become of each batch of the plan. It holds the outcome of every account
-- that has none of its own, so an account always has exactly one outcome, and a
-- batch that goes through whole is settled by one row. A batch is never divided.
CREATE TABLE batches (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    number     BIGINT NOT NULL, -- of the plan, from 1
    outcome    TEXT   NOT NULL, -- see jobs.Outcome
    accounts   BIGINT NOT NULL, -- how many have it; derived from own_outcomes
    code       BIGINT NOT NULL DEFAULT 0, -- > 0: the service's, < 0: ours
    message    TEXT   NOT NULL DEFAULT '',
    settled_at BIGINT NOT NULL DEFAULT 0,
    ask        BIGINT NOT NULL DEFAULT 0, -- 1: in doubt until a person decides
    lost       BIGINT NOT NULL DEFAULT 0, -- changes in a row that stayed without an answer
    sent       BIGINT NOT NULL DEFAULT 0, -- 1: a change may have left for it; calls says for which accounts
    restored   BIGINT NOT NULL DEFAULT 0, -- > 0: from an older copy of the database, it may have been sent since; it was waiting (1), sending (2), in doubt (3)
    not_before BIGINT NOT NULL DEFAULT 0, -- in doubt: not to be read back before
    console    TEXT   NOT NULL DEFAULT '', -- which has it in hand; '': none
    claim      TEXT   NOT NULL DEFAULT '', -- every write of the worker that has it names this
    PRIMARY KEY (job_id, number)
);

-- Nearly every batch has ended or waits, and is asked for by nothing but these.
CREATE INDEX batches_free ON batches (job_id, outcome, number) WHERE console = '' AND ask = 0 AND outcome IN ('in_doubt', 'waiting');
CREATE INDEX batches_in_hand ON batches (job_id, number) WHERE console <> '';
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
    held        BYTEA  NOT NULL, -- which accounts of it: a bit each, the first is the lowest bit of the first byte
    accounts    BIGINT NOT NULL, -- how many those are
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
    data   BYTEA  NOT NULL, -- encrypted, see snapshot.Encrypt; empty once it was erased
    digest TEXT   NOT NULL, -- SHA-256 of data, which stays
    PRIMARY KEY (job_id, number)
);

-- The tags a job is to add or remove, a batch of the plan a row.
CREATE TABLE wanted_tags (
    job_id TEXT   NOT NULL REFERENCES jobs (id),
    number BIGINT NOT NULL,
    data   BYTEA  NOT NULL, -- encrypted
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
    removed     BIGINT NOT NULL DEFAULT 0 -- entries up to this one were removed, but for those that prove something
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
    job_id   TEXT   NOT NULL,
    mac      BYTEA  NOT NULL -- of seq and line, with the key file: see audit.Log.UseKey
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
