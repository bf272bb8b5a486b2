-- A token has a role of its own, which is at most that of its maker, and it is revoked together with the token that it was made with.
ALTER TABLE admiral.api_tokens
    ADD COLUMN role      text CONSTRAINT api_tokens_role_check CHECK (role IN ('admin', 'operator', 'viewer', 'auditor')),
    ADD COLUMN made_with uuid REFERENCES admiral.api_tokens (id) ON DELETE CASCADE;
-- Existing tokens keep the present rights of their owners.
UPDATE admiral.api_tokens t SET role = u.role FROM admiral.users u WHERE u.id = t.user_id;
ALTER TABLE admiral.api_tokens ALTER COLUMN role SET NOT NULL;
CREATE INDEX api_tokens_made_with_idx ON admiral.api_tokens (made_with);
