-- Jobs of earlier versions kept an account a row, without its line.

-- +goose Up

INSERT INTO planned_batches (job_id, number, first_row, size, accounts)
SELECT job_id, (seq - 1) / 100 + 1, MIN(row_number), COUNT(*),
    string_agg(chr(9) || row_number || chr(9) || 0 || chr(9) || account || chr(10), '' ORDER BY seq)
FROM accounts GROUP BY job_id, (seq - 1) / 100 + 1;

INSERT INTO account_names (job_id, first, names)
SELECT job_id, convert_to(MIN(account COLLATE "C"), 'UTF8'), string_agg(account || chr(9) || row_number || chr(10), '' ORDER BY place)
FROM (SELECT job_id, account, row_number, ROW_NUMBER() OVER (PARTITION BY job_id ORDER BY account COLLATE "C") - 1 AS place FROM accounts) AS sorted
GROUP BY job_id, place / 256;

INSERT INTO set_aside_groups (job_id, kind, reason, row_count, first_rows)
SELECT s.job_id, s.kind, s.reason, COUNT(*),
    (SELECT json_agg(row_number)::text FROM (SELECT row_number FROM set_asides f
        WHERE f.job_id = s.job_id AND f.kind = s.kind AND f.reason = s.reason ORDER BY row_number LIMIT 10) AS first)
FROM set_asides s GROUP BY s.job_id, s.kind, s.reason;

DROP TABLE accounts;

-- Files that were still being read had not been answered for; what was read of them is removed.
UPDATE jobs SET state = 'cancelled', finished_at = created_at, reader = 'earlier version' WHERE state = 'reading';

-- Drafts are read again, so that they are understood as a file is now.
UPDATE jobs SET state = 'reading' WHERE state = 'draft';
