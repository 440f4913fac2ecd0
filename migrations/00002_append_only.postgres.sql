-- What was written is never changed, but that an entry's personal part is erased
-- and that entries are removed once they are as old as an admin wants.

-- +goose Up

-- +goose StatementBegin
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END;
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION audit_lines_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.personal = '' AND NEW.actor = '' AND NEW.seq = OLD.seq AND NEW.line = OLD.line AND NEW.at = OLD.at
        AND NEW.reached = OLD.reached AND NEW.code = OLD.code AND NEW.failed = OLD.failed AND NEW.job_id = OLD.job_id AND NEW.mac = OLD.mac
        AND OLD.code NOT IN ('log.erased', 'log.removed', 'log.accepted', 'job.sealed') THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' AND OLD.seq <= (SELECT removed FROM audit_head) AND OLD.code NOT IN ('job.sealed', 'log.removed', 'log.accepted', 'log.erasure_asked', 'log.erased', 'log.keep_set', 'clock.jumped', 'clock.confirmed',
        'user.created', 'user.password_set', 'user.password_changed', 'token.created', 'token.revoked', 'token.revoked_by_admin', 'user.role_set', 'user.disabled', 'user.enabled', 'app.changed',
        'kill_switch.thrown', 'kill_switch.lifted', 'accounts.protected', 'account.unprotected',
        'job.started', 'job.start_now', 'job.resumed') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER audit_lines_append_only BEFORE UPDATE OR DELETE ON audit_lines FOR EACH ROW EXECUTE FUNCTION audit_lines_append_only();
CREATE TRIGGER audit_lines_no_truncate BEFORE TRUNCATE ON audit_lines FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_hashes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_hashes FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
