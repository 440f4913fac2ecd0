-- Times are unix milliseconds, 0 for "not yet". Ids are made in Go and sort by time.

-- +goose Up

CREATE TABLE apps (
    id          TEXT PRIMARY KEY,
    name        TEXT   NOT NULL,
    environment TEXT   NOT NULL,
    sdkappid    BIGINT NOT NULL,
    domain      TEXT   NOT NULL,
    family      TEXT   NOT NULL,
    identifier  TEXT   NOT NULL,
    rate        BIGINT NOT NULL
);

-- The next free slot, in unix microseconds, for calls of one command of one app.
CREATE TABLE budgets (
    app_id    TEXT   NOT NULL REFERENCES apps (id),
    command   TEXT   NOT NULL,
    next_slot BIGINT NOT NULL,
    PRIMARY KEY (app_id, command)
);

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
    id         TEXT PRIMARY KEY,
    token_hash TEXT   NOT NULL UNIQUE,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    data       TEXT   NOT NULL,
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

-- A file as it was uploaded: zstd-compressed chunks, kept as evidence.
CREATE TABLE uploads (
    sha256     TEXT PRIMARY KEY,
    bytes      BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE upload_chunks (
    sha256 TEXT   NOT NULL REFERENCES uploads (sha256),
    number BIGINT NOT NULL,
    data   BYTEA  NOT NULL,
    PRIMARY KEY (sha256, number)
);

-- At every commit: row_count = rejected + duplicate + protected + accounts,
-- and accounts = the sum of the outcome_ columns.
CREATE TABLE jobs (
    id                TEXT PRIMARY KEY,
    app_id            TEXT   NOT NULL REFERENCES apps (id),
    kind              TEXT   NOT NULL,
    state             TEXT   NOT NULL,
    note              TEXT   NOT NULL,
    file_name         TEXT   NOT NULL,
    file_sha256       TEXT   NOT NULL REFERENCES uploads (sha256),
    file_bytes        BIGINT NOT NULL,
    account_bytes     BIGINT NOT NULL,
    row_count         BIGINT NOT NULL DEFAULT 0,
    rejected          BIGINT NOT NULL DEFAULT 0,
    duplicate         BIGINT NOT NULL DEFAULT 0,
    protected         BIGINT NOT NULL DEFAULT 0,
    accounts          BIGINT NOT NULL DEFAULT 0,
    outcome_waiting   BIGINT NOT NULL DEFAULT 0,
    outcome_sending   BIGINT NOT NULL DEFAULT 0,
    outcome_in_doubt  BIGINT NOT NULL DEFAULT 0,
    outcome_cleared   BIGINT NOT NULL DEFAULT 0,
    outcome_failed    BIGINT NOT NULL DEFAULT 0,
    outcome_cancelled BIGINT NOT NULL DEFAULT 0,
    batches           BIGINT NOT NULL DEFAULT 0,
    calls             BIGINT NOT NULL DEFAULT 0,
    created_by        TEXT   NOT NULL,
    started_by        TEXT   NOT NULL DEFAULT '',
    created_at        BIGINT NOT NULL,
    started_at        BIGINT NOT NULL DEFAULT 0,
    finished_at       BIGINT NOT NULL DEFAULT 0,
    claimed_at        BIGINT NOT NULL DEFAULT 0,
    halt_code         BIGINT NOT NULL DEFAULT 0,
    halt_info         TEXT   NOT NULL DEFAULT '',
    version           BIGINT NOT NULL DEFAULT 1
);

CREATE INDEX jobs_open ON jobs (app_id, state) WHERE finished_at = 0;
CREATE INDEX jobs_by_state ON jobs (state, id);

-- A batch is a range of a job's accounts, first … first+size-1, and holds the
-- outcome of every account in it that has none of its own. So an account
-- always has exactly one outcome, and a batch that goes through whole is
-- settled by one row. Splitting a batch splits its range.
CREATE TABLE batches (
    job_id      TEXT   NOT NULL REFERENCES jobs (id),
    first       BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    number      BIGINT NOT NULL, -- of the plan, from 1; the parts of a split batch share it
    pending     BIGINT NOT NULL, -- accounts without an outcome of their own
    outcome     TEXT   NOT NULL,
    code        BIGINT NOT NULL DEFAULT 0,
    message     TEXT   NOT NULL DEFAULT '',
    settled_at  BIGINT NOT NULL DEFAULT 0,
    tries       BIGINT NOT NULL DEFAULT 0,
    not_before  BIGINT NOT NULL DEFAULT 0,
    lease       TEXT   NOT NULL DEFAULT '', -- the id of the call that holds or last held it
    lease_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, first)
);

CREATE INDEX batches_by_outcome ON batches (job_id, outcome, first);

CREATE TABLE accounts (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    seq        BIGINT NOT NULL, -- from 1, in file order, without gaps
    row_number BIGINT NOT NULL,
    account    TEXT   NOT NULL,
    outcome    TEXT,            -- NULL: its batch's
    code       BIGINT NOT NULL DEFAULT 0,
    message    TEXT   NOT NULL DEFAULT '',
    settled_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, seq)
);

CREATE INDEX accounts_by_name ON accounts (account);
CREATE INDEX accounts_own ON accounts (job_id, outcome, code) WHERE outcome IS NOT NULL;

CREATE TABLE set_asides (
    job_id     TEXT   NOT NULL REFERENCES jobs (id),
    row_number BIGINT NOT NULL,
    line       BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    repeats    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, row_number)
);

-- The ledger: a call is written down before it leaves, and completed after.
CREATE TABLE calls (
    id          TEXT PRIMARY KEY,
    job_id      TEXT   NOT NULL REFERENCES jobs (id),
    batch       BIGINT NOT NULL, -- batches.number
    first       BIGINT NOT NULL,
    accounts    BIGINT NOT NULL,
    command     TEXT   NOT NULL,
    random      BIGINT NOT NULL,
    delivery    TEXT   NOT NULL, -- intended, not_sent, answered, lost
    sent_at     BIGINT NOT NULL, -- of an intended call: when it was intended
    duration    BIGINT NOT NULL DEFAULT 0, -- microseconds
    http_status BIGINT NOT NULL DEFAULT 0,
    code        BIGINT NOT NULL DEFAULT 0,
    message     TEXT   NOT NULL DEFAULT ''
);

CREATE INDEX calls_by_job ON calls (job_id, sent_at);

CREATE TABLE audit_entries (
    seq        BIGINT PRIMARY KEY,
    at         BIGINT NOT NULL,
    code       TEXT   NOT NULL,
    actor_id   TEXT   NOT NULL,
    actor_name TEXT   NOT NULL,
    actor_role TEXT   NOT NULL,
    session    TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    user_agent TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    job_id     TEXT   NOT NULL,
    target     TEXT   NOT NULL,
    app        TEXT   NOT NULL,
    details    TEXT   NOT NULL -- JSON
);

CREATE INDEX audit_by_job ON audit_entries (job_id, seq);
CREATE INDEX audit_by_code ON audit_entries (code, seq);
CREATE INDEX audit_by_actor ON audit_entries (actor_name, seq);

-- Its one row gives entries their numbers, one transaction at a time.
CREATE TABLE audit_head (
    id  BIGINT PRIMARY KEY,
    seq BIGINT NOT NULL
);

INSERT INTO audit_head (id, seq) VALUES (1, 0);
