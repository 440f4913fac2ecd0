-- Tags are read before they are changed, kept for a time, checked after, and put back.

-- +goose Up

ALTER TABLE apps ADD COLUMN snapshot BIGINT NOT NULL DEFAULT 1; -- 1: tags are read and kept before they are removed
ALTER TABLE apps ADD COLUMN keep_days BIGINT NOT NULL DEFAULT 30; -- how long after a job's end its tags are kept
ALTER TABLE apps ADD COLUMN verify_share BIGINT NOT NULL DEFAULT 10000; -- millionths of a job's batches that are read again after it

ALTER TABLE jobs RENAME COLUMN retry_of TO source;
ALTER TABLE jobs ADD COLUMN snapshot BIGINT NOT NULL DEFAULT 0; -- 1: its accounts' tags are kept before they are changed
ALTER TABLE jobs ADD COLUMN policy TEXT NOT NULL DEFAULT ''; -- of a restore, see snapshot.Policy
ALTER TABLE jobs ADD COLUMN only_tags TEXT NOT NULL DEFAULT ''; -- JSON: of what is put back or taken away again, only these tags; '': all
ALTER TABLE jobs ADD COLUMN verify_share BIGINT NOT NULL DEFAULT 0; -- millionths
ALTER TABLE jobs ADD COLUMN verify_seed TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN verify_left BIGINT NOT NULL DEFAULT 0; -- batches, or parts of them, that are to be read again
ALTER TABLE jobs ADD COLUMN verified BIGINT NOT NULL DEFAULT 0; -- accounts that were read again
ALTER TABLE jobs ADD COLUMN reopened BIGINT NOT NULL DEFAULT 0; -- of them: those that were not as they should be
ALTER TABLE jobs ADD COLUMN outcome_untagged BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN outcome_inspected BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN outcome_restored BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN outcome_changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN outcome_unchanged BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN outcome_skipped BIGINT NOT NULL DEFAULT 0;

ALTER TABLE batches ADD COLUMN next TEXT NOT NULL DEFAULT ''; -- the command it waits for or was taken for, or 'verify'; '': none
ALTER TABLE batches ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0; -- when the tags were read that the next call changes; 0: not
ALTER TABLE batches ADD COLUMN change BYTEA; -- sealed: the tags the next call adds or removes
ALTER TABLE batches ADD COLUMN touched BIGINT NOT NULL DEFAULT 0; -- 1: a call that changes tags may have left for it
ALTER TABLE batches ADD COLUMN lost BIGINT NOT NULL DEFAULT 0; -- such calls in a row that stayed without an answer

-- The calls of a batch: those an account was in, and, of a batch in parts, those that were refused.
CREATE INDEX calls_by_batch ON calls (job_id, batch);
DROP INDEX calls_refused;

UPDATE batches SET next = CASE WHEN outcome = 'in_doubt' THEN 'get_tags' ELSE 'remove_all_tags' END,
    touched = CASE WHEN outcome <> 'waiting' OR EXISTS (SELECT 1 FROM calls c WHERE c.job_id = batches.job_id AND c.batch = batches.number AND c.delivery <> 'not_sent') THEN 1 ELSE 0 END
WHERE outcome IN ('waiting', 'sending', 'in_doubt');

-- What readings had found of accounts in doubt is not taken over, and without it
-- new tags cannot be told from old ones: a person decides.
UPDATE batches SET ask = 1, code = 0
WHERE outcome = 'in_doubt' AND EXISTS (SELECT 1 FROM read_tags r WHERE r.job_id = batches.job_id AND r.seq >= batches.first AND r.seq < batches.first + batches.size);

-- Nearly every batch has ended or waits, and is asked for by nothing but these.
-- One that goes through is taken out of the first when it is claimed, and stands
-- in the second meanwhile. The first is in another order than the primary key, so
-- that no planner takes that one instead and reads all that has ended.
DROP INDEX batches_by_outcome;
CREATE INDEX batches_free ON batches (job_id, next, outcome, number, first) WHERE next <> '' AND lease_until = 0;
CREATE INDEX batches_held ON batches (job_id, first) WHERE lease_until > 0;
CREATE INDEX batches_asked ON batches (job_id) WHERE ask = 1;
CREATE INDEX batches_failed ON batches (job_id, code) WHERE outcome = 'failed';

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

-- What a job's accounts had in tags, summed up when it ended; it outlives the snapshot.
CREATE TABLE tag_reports (
    job_id TEXT PRIMARY KEY REFERENCES jobs (id),
    report TEXT NOT NULL -- JSON, see snapshot.Report
);

DROP TABLE read_tags;
