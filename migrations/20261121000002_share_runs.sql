-- Many workers share the work, and a deployment may be carried out by several runs (slices) at once.

-- What holds for all processes; a name that is missing has its default.
CREATE TABLE admiral.settings (
    name       text PRIMARY KEY,
    value      jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE admiral.workers
    ADD COLUMN max_runs       integer NOT NULL DEFAULT 1,
    ADD COLUMN draining_since timestamptz; -- claims nothing more

-- How each run ended; the last one to end says what became of the deployment.
-- `last_seq`, `events_seen` and `stats_seen` are the fold's: a worker that takes a run over goes on from its rows.
ALTER TABLE admiral.runs
    ADD COLUMN priority    smallint NOT NULL DEFAULT 0,
    ADD COLUMN worker_name text, -- whose it is or was
    ADD COLUMN outcome     text CONSTRAINT runs_outcome_check CHECK (outcome IN ('completed', 'failed', 'cancelled')),
    ADD COLUMN reason      text,
    ADD COLUMN message     text,
    ADD COLUMN last_seq    bigint NOT NULL DEFAULT 0,
    ADD COLUMN events_seen bigint NOT NULL DEFAULT 0,
    ADD COLUMN stats_seen  boolean NOT NULL DEFAULT false;
-- Runs under way while Admiral was upgraded.
UPDATE admiral.runs r SET last_seq = folded.last_seq, events_seen = folded.seen, stats_seen = folded.stats
FROM (SELECT run_id, coalesce(max((payload ->> 'seq')::bigint), 0) AS last_seq, count(*) AS seen,
             bool_or(kind = 'playbook_on_stats') AS stats
      FROM admiral.deployment_events WHERE run_id IN (SELECT id FROM admiral.runs WHERE status = 'running') AND payload ->> 'seq' IS NOT NULL
      GROUP BY run_id) AS folded
WHERE r.id = folded.run_id;

-- Deployments that hold servers this one needs.
ALTER TABLE admiral.deployments
    ADD COLUMN waiting_for uuid[] NOT NULL DEFAULT '{}';

-- Each slice has rows of its own: two may add a host of the same name, `localhost` above all.
ALTER TABLE admiral.deployment_servers
    ADD COLUMN last_event_at timestamptz,
    ADD COLUMN errors        text[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT deployment_servers_pkey,
    ADD PRIMARY KEY (deployment_id, slice, host);
