-- Streams end as soon as their readers lose the right to read them. Triggers announce it to all processes, so that no way of taking a right
-- away (a handler, a purge, a cascading deletion, SQL by hand) can forget to. The payload is the user's id.
CREATE FUNCTION admiral.announce_lost_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('admiral_access', (to_jsonb(OLD) ->> TG_ARGV[0]));
    RETURN NULL;
END $$;

CREATE TRIGGER users_announce_change AFTER UPDATE OF role, disabled_at ON admiral.users
    FOR EACH ROW WHEN (OLD.role <> NEW.role OR OLD.disabled_at IS DISTINCT FROM NEW.disabled_at)
    EXECUTE FUNCTION admiral.announce_lost_access('id');
CREATE TRIGGER sessions_announce_end AFTER DELETE ON admiral.sessions
    FOR EACH ROW EXECUTE FUNCTION admiral.announce_lost_access('user_id');
CREATE TRIGGER api_tokens_announce_end AFTER UPDATE OF revoked_at ON admiral.api_tokens
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION admiral.announce_lost_access('user_id');
CREATE TRIGGER api_tokens_announce_deletion AFTER DELETE ON admiral.api_tokens
    FOR EACH ROW EXECUTE FUNCTION admiral.announce_lost_access('user_id');
