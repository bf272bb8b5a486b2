-- Playbooks come in packages: files that belong together, with a history of immutable versions. A package is what was uploaded
-- (custom), a folder or a git repository (project), or what ships with Admiral (built_in).

CREATE TABLE admiral.packages (
    id                 uuid PRIMARY KEY,
    origin             text NOT NULL CONSTRAINT packages_origin_check CHECK (origin IN ('built_in', 'custom', 'project')),
    name               text NOT NULL, -- empty: the files at the root of the built-in or the watched folder
    current_version_id uuid,
    error              text,          -- why its files could not be taken over when they were last looked at
    missing_since      timestamptz,   -- its folder is gone; its history stays
    deleted_at         timestamptz,   -- somebody deleted it; its history stays for the deployments that ran it
    created_by         uuid REFERENCES admiral.users (id) ON DELETE SET NULL,
    created_by_name    text NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX packages_created_by_idx ON admiral.packages (created_by);
-- A deleted package's name is free again.
CREATE UNIQUE INDEX packages_origin_name_key ON admiral.packages (origin, name) WHERE deleted_at IS NULL;

-- What the folder held was called custom before there were uploads; it is a project.
UPDATE admiral.playbooks SET origin = 'project' WHERE origin = 'custom';

-- Versions from before packages stay with packages of their own, which nothing else uses.
INSERT INTO admiral.packages (id, origin, name, created_by_name, created_at, missing_since, deleted_at)
SELECT id, origin, path, 'admiral', created_at, now(), now() FROM admiral.playbooks;

-- A playbook is an entry point of a package.
ALTER TABLE admiral.playbooks
    ADD COLUMN package_id    uuid REFERENCES admiral.packages (id) ON DELETE CASCADE,
    ADD COLUMN entry_path    text,                        -- within the package
    ADD COLUMN outline       jsonb NOT NULL DEFAULT '{}', -- what its text tells: name, description, hosts, variables …
    ADD COLUMN missing_since timestamptz;                 -- not in the package's current version
UPDATE admiral.playbooks SET package_id = id, entry_path = path, missing_since = now();
ALTER TABLE admiral.playbooks
    ALTER COLUMN package_id SET NOT NULL,
    ALTER COLUMN entry_path SET NOT NULL;
CREATE INDEX playbooks_package_id_idx ON admiral.playbooks (package_id);

-- `syntax_valid_with`: {"ENTRY PATH": "ansible-core version that found no fault"}.
ALTER TABLE admiral.playbook_versions
    DROP CONSTRAINT playbook_versions_playbook_id_digest_key,
    DROP CONSTRAINT playbook_versions_playbook_id_fkey,
    DROP COLUMN syntax_valid_with;
ALTER TABLE admiral.playbook_versions RENAME COLUMN playbook_id TO package_id;
ALTER TABLE admiral.playbook_versions
    ADD COLUMN number            integer,
    ADD COLUMN comment           text NOT NULL DEFAULT '',
    ADD COLUMN author_id         uuid REFERENCES admiral.users (id) ON DELETE SET NULL,
    ADD COLUMN author_name       text NOT NULL DEFAULT 'admiral',
    ADD COLUMN commit_id         text,  -- of a git project
    ADD COLUMN rolled_back_to    integer, -- the number of the version that this one equals on purpose
    ADD COLUMN syntax_valid_with jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN reviewed_at       timestamptz,
    ADD COLUMN reviewed_by       uuid REFERENCES admiral.users (id) ON DELETE SET NULL,
    ADD COLUMN reviewed_by_name  text;
UPDATE admiral.playbook_versions v SET number = numbered.number
FROM (SELECT id, row_number() OVER (PARTITION BY package_id ORDER BY created_at, id) AS number FROM admiral.playbook_versions) AS numbered
WHERE v.id = numbered.id;
ALTER TABLE admiral.playbook_versions
    ALTER COLUMN number SET NOT NULL,
    ADD CONSTRAINT playbook_versions_package_id_fkey FOREIGN KEY (package_id) REFERENCES admiral.packages (id) ON DELETE CASCADE,
    ADD CONSTRAINT playbook_versions_package_id_number_key UNIQUE (package_id, number);
CREATE INDEX playbook_versions_author_id_idx ON admiral.playbook_versions (author_id);
CREATE INDEX playbook_versions_reviewed_by_idx ON admiral.playbook_versions (reviewed_by);
ALTER TABLE admiral.packages ADD CONSTRAINT packages_current_version_id_fkey
    FOREIGN KEY (current_version_id) REFERENCES admiral.playbook_versions (id) ON DELETE SET NULL;
CREATE INDEX packages_current_version_id_idx ON admiral.packages (current_version_id);

-- ── Deployments of more kinds ──────────────────────────────────────────────────────────────────────────────
-- `adhoc` runs one module, `recorded` ran in somebody's shell: neither has a version in the library.
ALTER TABLE admiral.deployments
    ALTER COLUMN playbook_version_id DROP NOT NULL,
    ADD COLUMN kind                text NOT NULL DEFAULT 'playbook'
        CONSTRAINT deployments_kind_check CHECK (kind IN ('playbook', 'adhoc', 'recorded')),
    ADD COLUMN entry_path          text NOT NULL DEFAULT '', -- the playbook among the version's files
    ADD COLUMN environment_name    text,
    ADD COLUMN preset_name         text,
    ADD COLUMN variable_sources    jsonb NOT NULL DEFAULT '{}', -- {"NAME": "launch" | "preset" | "environment" | "form"}
    ADD COLUMN file_variable_names text[] NOT NULL DEFAULT '{}',
    ADD COLUMN sealed_files        bytea,                       -- answers of the form that are files
    ADD COLUMN overridden_settings jsonb NOT NULL DEFAULT '[]', -- of the project's ansible.cfg
    ADD COLUMN command             jsonb;                       -- adhoc: module and arguments; recorded: the command line, masked
UPDATE admiral.deployments SET entry_path = substr(playbook, strpos(playbook, '/') + 1);
UPDATE admiral.deployments SET playbook = 'project/' || substr(playbook, 8) WHERE starts_with(playbook, 'custom/');
CREATE INDEX deployments_playbook_idx ON admiral.deployments (playbook, number);

-- A recorded run has no worker: who records it says when it ends.
ALTER TABLE admiral.runs ADD COLUMN recorded boolean NOT NULL DEFAULT false;

-- ── What is beside packages ────────────────────────────────────────────────────────────────────────────────
CREATE TABLE admiral.git_projects (
    package_id            uuid PRIMARY KEY REFERENCES admiral.packages (id) ON DELETE CASCADE,
    url                   text NOT NULL,
    reference             text NOT NULL DEFAULT '', -- branch, tag or commit; empty: the remote's default branch
    private_key_id        uuid REFERENCES admiral.private_keys (id) ON DELETE RESTRICT,
    username              text NOT NULL DEFAULT '',
    sealed_token          bytea,
    submodules            boolean NOT NULL DEFAULT false,
    sync_before_launch    boolean NOT NULL DEFAULT false,
    sync_interval_seconds integer CONSTRAINT git_projects_sync_interval_seconds_check CHECK (sync_interval_seconds >= 60),
    webhook_kind          text CONSTRAINT git_projects_webhook_kind_check CHECK (webhook_kind IN ('generic', 'github', 'gitlab')),
    sealed_webhook_secret bytea,
    host_keys             text NOT NULL DEFAULT '', -- of the ssh server, trusted on first use
    sync_requested_at     timestamptz,
    synced_at             timestamptz, -- the last sync that worked
    commit_id             text,
    attempted_at          timestamptz, -- the last sync, whatever came of it
    error                 text
);
CREATE INDEX git_projects_private_key_id_idx ON admiral.git_projects (private_key_id);

-- Passwords of ansible-vault. Without a package: for all of them.
CREATE TABLE admiral.vault_passwords (
    id              uuid PRIMARY KEY,
    package_id      uuid REFERENCES admiral.packages (id) ON DELETE CASCADE,
    vault_id        text NOT NULL,
    sealed_password bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX vault_passwords_package_id_vault_id_key
    ON admiral.vault_passwords (coalesce(package_id, '00000000-0000-0000-0000-000000000000'), vault_id);
CREATE INDEX vault_passwords_package_id_idx ON admiral.vault_passwords (package_id);

-- Where ansible-galaxy asks, in this order; none: as it is by itself.
CREATE TABLE admiral.galaxy_servers (
    id           uuid PRIMARY KEY,
    name         text NOT NULL CONSTRAINT galaxy_servers_name_key UNIQUE,
    url          text NOT NULL,
    auth_url     text,
    sealed_token bytea,
    position     integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- Named variables and options for one playbook.
CREATE TABLE admiral.presets (
    id                    uuid PRIMARY KEY,
    playbook_id           uuid NOT NULL REFERENCES admiral.playbooks (id) ON DELETE CASCADE,
    name                  text NOT NULL,
    description           text,
    variables             jsonb NOT NULL DEFAULT '{}',
    secret_variable_names text[] NOT NULL DEFAULT '{}',
    sealed_variables      bytea,
    options               jsonb NOT NULL DEFAULT '{}',
    created_by            uuid REFERENCES admiral.users (id) ON DELETE SET NULL,
    created_by_name       text NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT presets_playbook_id_name_key UNIQUE (playbook_id, name)
);
CREATE INDEX presets_created_by_idx ON admiral.presets (created_by);

-- Variables that hold wherever it is chosen: production, staging.
CREATE TABLE admiral.environments (
    id                    uuid PRIMARY KEY,
    name                  text NOT NULL CONSTRAINT environments_name_key UNIQUE,
    description           text,
    variables             jsonb NOT NULL DEFAULT '{}',
    secret_variable_names text[] NOT NULL DEFAULT '{}',
    sealed_variables      bytea,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);
