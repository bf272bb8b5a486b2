-- Events and output older than the setting `retention_days` are removed; what was removed is written down here.

CREATE TABLE admiral.retention_removals (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    removed_at timestamptz NOT NULL DEFAULT now(),
    table_name text NOT NULL CONSTRAINT retention_removals_table_name_check
        CHECK (table_name IN ('deployment_events', 'deployment_output')),
    -- Null: rows of the default partition, which were deleted.
    partition  text,
    -- The day (UTC) that the rows were stored on; of several the latest.
    day        date NOT NULL,
    bytes      bigint NOT NULL
);

-- A default partition cannot be dropped: its old rows are looked for. It is empty as a rule, so that this costs nothing.
CREATE INDEX deployment_events_default_ingested_at_idx ON admiral.deployment_events_default (ingested_at);
CREATE INDEX deployment_output_default_ingested_at_idx ON admiral.deployment_output_default (ingested_at);
