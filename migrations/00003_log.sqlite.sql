-- The log begins under a name that no other log has. This is the last step, so
-- that a database is complete once its log has a name.

-- +goose Up

INSERT INTO audit_head (id, origin, seq) VALUES (1, 'tagsweep/' || lower(hex(randomblob(8))), 0);
