-- Webhooks that were received. A webhook that is sent again, by its sender or by somebody who has read it, causes no second sync.
-- A fingerprint is the SHA-256 of the part of a delivery that identifies it and is protected by its signature. Rows are kept for a week, at
-- most 10,000 for each project.
CREATE TABLE admiral.webhook_deliveries (
    package_id  uuid NOT NULL REFERENCES admiral.git_projects (package_id) ON DELETE CASCADE,
    fingerprint bytea NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (package_id, fingerprint)
);
CREATE INDEX webhook_deliveries_received_at_idx ON admiral.webhook_deliveries (received_at);

-- The SHA-256 of the last body, for senders that sign nothing (GitLab with a secret token). Their bodies may legitimately come again later.
ALTER TABLE admiral.git_projects ADD COLUMN last_webhook_body bytea;
