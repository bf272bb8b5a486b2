-- The first schema of Admiral: people, servers, keys, playbooks, deployments and what their runs reported.
-- Every name is qualified, so that nothing depends on a connection's search_path.

CREATE SCHEMA IF NOT EXISTS admiral;

-- ── The vault: which master keys this database was sealed with ─────────────────────────────────────────────
-- `check_value` is a known text sealed with the key: a key ring that lost or mixed up a key is noticed at start.
CREATE TABLE admiral.vault_keys (
    key_id      text PRIMARY KEY,
    check_value bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- ── People ─────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE admiral.users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CONSTRAINT users_username_key UNIQUE,
    role          text NOT NULL CONSTRAINT users_role_check CHECK (role IN ('admin', 'operator', 'viewer', 'auditor')),
    password_hash text,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

-- Links that work once: `setup` makes the first admin, `sign_in` signs a user in.
CREATE TABLE admiral.one_time_links (
    token_hash bytea PRIMARY KEY,
    purpose    text NOT NULL CONSTRAINT one_time_links_purpose_check CHECK (purpose IN ('setup', 'sign_in')),
    user_id    uuid REFERENCES admiral.users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT one_time_links_user_check CHECK ((purpose = 'sign_in') = (user_id IS NOT NULL))
);
CREATE INDEX one_time_links_user_id_idx ON admiral.one_time_links (user_id);

CREATE TABLE admiral.sessions (
    id           uuid PRIMARY KEY,
    token_hash   bytea NOT NULL CONSTRAINT sessions_token_hash_key UNIQUE,
    user_id      uuid NOT NULL REFERENCES admiral.users (id) ON DELETE CASCADE,
    address      text,
    user_agent   text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_user_id_idx ON admiral.sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON admiral.sessions (expires_at);

CREATE TABLE admiral.api_tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES admiral.users (id) ON DELETE CASCADE,
    name         text NOT NULL,
    token_hash   bytea NOT NULL CONSTRAINT api_tokens_token_hash_key UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_tokens_user_id_idx ON admiral.api_tokens (user_id);

-- Who did what. Rows are only ever added: the trigger refuses everything else.
CREATE TABLE admiral.audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    actor_id    uuid,
    actor_name  text NOT NULL,
    address     text,
    user_agent  text,
    action      text NOT NULL,
    object_type text NOT NULL,
    object_id   text,
    outcome     text NOT NULL CONSTRAINT audit_log_outcome_check CHECK (outcome IN ('success', 'denied', 'failure')),
    before      jsonb,
    after       jsonb
);
CREATE INDEX audit_log_recorded_at_idx ON admiral.audit_log (recorded_at);
CREATE FUNCTION admiral.audit_log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON admiral.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION admiral.audit_log_refuse_change();

-- ── Servers and keys ───────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE admiral.private_keys (
    id                uuid PRIMARY KEY,
    name              text NOT NULL CONSTRAINT private_keys_name_key UNIQUE,
    key_type          text NOT NULL,
    bits              integer,
    fingerprint       text NOT NULL,
    public_key        text NOT NULL,
    sealed_key        bytea NOT NULL,
    sealed_passphrase bytea,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE admiral.servers (
    id           uuid PRIMARY KEY,
    number       bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT servers_number_key UNIQUE,
    hostname     text NOT NULL CONSTRAINT servers_hostname_key UNIQUE,
    name         text NOT NULL,
    ssh_host     text NOT NULL,
    ssh_port     integer NOT NULL CONSTRAINT servers_ssh_port_check CHECK (ssh_port BETWEEN 1 AND 65535),
    ssh_username text NOT NULL,
    tags         jsonb NOT NULL DEFAULT '[]' CONSTRAINT servers_tags_check CHECK (jsonb_typeof(tags) = 'array'),
    distro       text,
    architecture text,
    status       text NOT NULL DEFAULT 'active' CONSTRAINT servers_status_check CHECK (status IN ('active', 'inactive')),
    metadata     jsonb NOT NULL DEFAULT '{}' CONSTRAINT servers_metadata_check CHECK (jsonb_typeof(metadata) = 'object'),
    last_seen_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX servers_tags_idx ON admiral.servers USING gin (tags);

CREATE TABLE admiral.server_private_keys (
    server_id      uuid NOT NULL REFERENCES admiral.servers (id) ON DELETE CASCADE,
    private_key_id uuid NOT NULL REFERENCES admiral.private_keys (id) ON DELETE RESTRICT,
    is_primary     boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (server_id, private_key_id)
);
CREATE UNIQUE INDEX server_private_keys_primary_key ON admiral.server_private_keys (server_id) WHERE is_primary;
CREATE INDEX server_private_keys_private_key_id_idx ON admiral.server_private_keys (private_key_id);

-- SSH host keys we trust, one per server and algorithm; learned on first use.
CREATE TABLE admiral.host_keys (
    id            uuid PRIMARY KEY,
    server_id     uuid NOT NULL REFERENCES admiral.servers (id) ON DELETE CASCADE,
    key_type      text NOT NULL,
    public_key    text NOT NULL,
    fingerprint   text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT host_keys_server_id_key_type_key UNIQUE (server_id, key_type)
);

-- ── Playbooks ──────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE admiral.playbooks (
    id          uuid PRIMARY KEY,
    origin      text NOT NULL CONSTRAINT playbooks_origin_check CHECK (origin IN ('built_in', 'custom', 'project')),
    path        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT playbooks_origin_path_key UNIQUE (origin, path)
);

-- One file's content, stored once however many versions hold it.
CREATE TABLE admiral.playbook_files (
    digest  bytea PRIMARY KEY,
    content bytea NOT NULL
);

-- An immutable state of a playbook and the files beside it. `manifest`: [{"path", "mode", "digest" (hex SHA-256)}].
CREATE TABLE admiral.playbook_versions (
    id                uuid PRIMARY KEY,
    playbook_id       uuid NOT NULL REFERENCES admiral.playbooks (id) ON DELETE CASCADE,
    digest            text NOT NULL,
    manifest          jsonb NOT NULL,
    syntax_valid_with text, -- the ansible-core version that found no fault; a refusal is not kept, as it may be the machine's
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT playbook_versions_playbook_id_digest_key UNIQUE (playbook_id, digest)
);

-- ── Workers, deployments and runs ──────────────────────────────────────────────────────────────────────────
CREATE TABLE admiral.workers (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE admiral.deployments (
    id                    uuid PRIMARY KEY,
    number                bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT deployments_number_key UNIQUE,
    name                  text NOT NULL,
    description           text,
    playbook              text NOT NULL,
    playbook_version_id   uuid NOT NULL REFERENCES admiral.playbook_versions (id) ON DELETE RESTRICT,
    server_filter         jsonb NOT NULL,
    variables             jsonb NOT NULL DEFAULT '{}',
    secret_variable_names text[] NOT NULL DEFAULT '{}',
    sealed_variables      bytea,
    options               jsonb NOT NULL,
    status                text NOT NULL DEFAULT 'pending' CONSTRAINT deployments_status_check
        CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    reason                text CONSTRAINT deployments_reason_check CHECK (reason IN
        ('hosts_failed', 'hosts_unreachable', 'timed_out', 'worker_lost', 'playbook_error', 'inventory_error', 'launch_error', 'cancelled_by_user')),
    message               text,
    warnings              jsonb NOT NULL DEFAULT '[]',
    total                 integer NOT NULL DEFAULT 0,
    pending               integer NOT NULL DEFAULT 0,
    running               integer NOT NULL DEFAULT 0,
    successful            integer NOT NULL DEFAULT 0,
    failed                integer NOT NULL DEFAULT 0,
    unreachable           integer NOT NULL DEFAULT 0,
    skipped               integer NOT NULL DEFAULT 0,
    cancelled             integer NOT NULL DEFAULT 0,
    changed               integer NOT NULL DEFAULT 0,
    event_position        bigint NOT NULL DEFAULT 0,
    output_bytes          bigint NOT NULL DEFAULT 0,
    retry_of              uuid REFERENCES admiral.deployments (id) ON DELETE SET NULL,
    created_by            uuid REFERENCES admiral.users (id) ON DELETE SET NULL,
    created_by_name       text NOT NULL,
    cancel_requested_at   timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    started_at            timestamptz,
    finished_at           timestamptz
);
CREATE INDEX deployments_playbook_version_id_idx ON admiral.deployments (playbook_version_id);
CREATE INDEX deployments_retry_of_idx ON admiral.deployments (retry_of);
CREATE INDEX deployments_created_by_idx ON admiral.deployments (created_by);
CREATE INDEX deployments_status_idx ON admiral.deployments (status);

-- One `ansible-playbook` process. `spool_offset` and `output_offset` are bytes of the run folder's files already stored.
CREATE TABLE admiral.runs (
    id                  uuid PRIMARY KEY,
    deployment_id       uuid NOT NULL REFERENCES admiral.deployments (id) ON DELETE CASCADE,
    slice               integer NOT NULL DEFAULT 0,
    status              text NOT NULL DEFAULT 'pending' CONSTRAINT runs_status_check CHECK (status IN ('pending', 'running', 'finished')),
    owner               uuid,
    lease_expires_at    timestamptz,
    run_folder          text,
    supervisor_pid      integer,
    supervisor_start    bigint,
    spool_offset        bigint NOT NULL DEFAULT 0,
    output_offset       bigint NOT NULL DEFAULT 0,
    exit_code           integer,
    isolation           text,
    cancel_requested_at timestamptz,
    cancel_force        boolean NOT NULL DEFAULT false,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    finished_at         timestamptz,
    CONSTRAINT runs_deployment_id_slice_key UNIQUE (deployment_id, slice)
);
CREATE INDEX runs_unfinished_idx ON admiral.runs (status, created_at) WHERE status <> 'finished';

-- The live row for one host. `position` is the event position of its latest change: the cursor of the stream.
CREATE TABLE admiral.deployment_servers (
    deployment_id uuid NOT NULL REFERENCES admiral.deployments (id) ON DELETE CASCADE,
    host          text NOT NULL,
    server_id     uuid REFERENCES admiral.servers (id) ON DELETE SET NULL,
    slice         integer NOT NULL DEFAULT 0,
    address       text,
    status        text NOT NULL DEFAULT 'pending' CONSTRAINT deployment_servers_status_check
        CHECK (status IN ('pending', 'running', 'success', 'failed', 'unreachable', 'skipped', 'cancelled')),
    changed       boolean NOT NULL DEFAULT false,
    ok_count          integer NOT NULL DEFAULT 0,
    changed_count     integer NOT NULL DEFAULT 0,
    failed_count      integer NOT NULL DEFAULT 0,
    skipped_count     integer NOT NULL DEFAULT 0,
    rescued_count     integer NOT NULL DEFAULT 0,
    ignored_count     integer NOT NULL DEFAULT 0,
    unreachable_count integer NOT NULL DEFAULT 0,
    current_task  text,
    error_message text,
    position      bigint NOT NULL DEFAULT 0,
    started_at    timestamptz,
    finished_at   timestamptz,
    PRIMARY KEY (deployment_id, host)
);
CREATE INDEX deployment_servers_server_id_idx ON admiral.deployment_servers (server_id);
CREATE INDEX deployment_servers_position_idx ON admiral.deployment_servers (deployment_id, position);

CREATE TABLE admiral.deployment_tasks (
    deployment_id uuid NOT NULL REFERENCES admiral.deployments (id) ON DELETE CASCADE,
    task_id       text NOT NULL,
    position      bigint NOT NULL,
    play          text,
    task          text,
    action        text,
    path          text,
    PRIMARY KEY (deployment_id, task_id)
);

-- What the callback plugin wrote, and Admiral's own notes beside it. Append-only; the oldest partitions are dropped whole.
-- `payload` is json, not jsonb: it is kept as it came, and text that jsonb refuses must not stop a batch.
CREATE TABLE admiral.deployment_events (
    deployment_id uuid NOT NULL,
    position      bigint NOT NULL,
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    run_id        uuid,
    recorded_at   timestamptz NOT NULL,
    kind          text NOT NULL,
    host          text,
    task_id       text,
    payload       json NOT NULL,
    PRIMARY KEY (deployment_id, position, ingested_at)
) PARTITION BY RANGE (ingested_at);
CREATE TABLE admiral.deployment_events_default PARTITION OF admiral.deployment_events DEFAULT;
CREATE INDEX deployment_events_host_idx ON admiral.deployment_events (deployment_id, host, position);

-- The raw output, in chunks. `byte_offset` counts bytes of the deployment's output as stored.
CREATE TABLE admiral.deployment_output (
    deployment_id uuid NOT NULL,
    byte_offset   bigint NOT NULL,
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    run_id        uuid NOT NULL,
    content       bytea NOT NULL,
    PRIMARY KEY (deployment_id, byte_offset, ingested_at)
) PARTITION BY RANGE (ingested_at);
CREATE TABLE admiral.deployment_output_default PARTITION OF admiral.deployment_output DEFAULT;
