-- What the engine keeps to decide when, how fast and in which order it sends.

-- +goose Up

ALTER TABLE apps ADD COLUMN rate_set BIGINT NOT NULL DEFAULT 0; -- calls a second an admin chose; 0: as configured
ALTER TABLE apps ADD COLUMN failure_limit BIGINT NOT NULL DEFAULT 20; -- percent of failures at which a job halts; 100: never
ALTER TABLE apps ADD COLUMN canary BIGINT NOT NULL DEFAULT 1; -- 1: the first 1, 10, 100 and 1,000 accounts of a job are gates
ALTER TABLE apps ADD COLUMN first_job TEXT NOT NULL DEFAULT ''; -- served before all others
ALTER TABLE apps ADD COLUMN probe_at BIGINT NOT NULL DEFAULT 0; -- > 0: one call at a time, not before this, until one is answered well
ALTER TABLE apps ADD COLUMN probe_wait BIGINT NOT NULL DEFAULT 0; -- milliseconds until the next probe

ALTER TABLE budgets ADD COLUMN pace BIGINT NOT NULL DEFAULT 0; -- thousandths of a call a second, as it was at paced_at; 0: never slowed down
ALTER TABLE budgets ADD COLUMN paced_at BIGINT NOT NULL DEFAULT 0; -- unix microseconds

ALTER TABLE jobs ADD COLUMN start_at BIGINT NOT NULL DEFAULT 0; -- nothing is sent before
ALTER TABLE jobs ADD COLUMN gate BIGINT NOT NULL DEFAULT 0; -- only the first so many accounts may be sent yet; 0: all
ALTER TABLE jobs ADD COLUMN failure_limit BIGINT NOT NULL DEFAULT 0; -- percent, raised by a person who resumed; 0: the app's
ALTER TABLE jobs ADD COLUMN checked_done BIGINT NOT NULL DEFAULT 0; -- accounts settled when failures were last judged
ALTER TABLE jobs ADD COLUMN checked_failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN retry_of TEXT NOT NULL DEFAULT ''; -- the job whose accounts these are

CREATE INDEX jobs_by_origin ON jobs (retry_of) WHERE retry_of <> '';

CREATE INDEX jobs_by_end ON jobs (app_id, finished_at);

-- Few calls are refused, so this costs the others nothing.
CREATE INDEX calls_refused ON calls (job_id, batch) WHERE code <> 0;

ALTER TABLE batches ADD COLUMN ask BIGINT NOT NULL DEFAULT 0; -- 1: in doubt until a person decides

-- The tags a reading found on accounts that were in doubt and were to be sent
-- again: a later reading tells new tags from them.
CREATE TABLE read_tags (
    job_id TEXT   NOT NULL REFERENCES jobs (id),
    seq    BIGINT NOT NULL, -- place in the job, from 1
    tags   TEXT   NOT NULL, -- JSON
    PRIMARY KEY (job_id, seq)
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
