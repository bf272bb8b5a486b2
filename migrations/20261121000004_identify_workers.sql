-- Workers on several machines, and several on one.

ALTER TABLE admiral.workers
    -- What else its process does: api, worker, scheduler.
    ADD COLUMN roles      text[] NOT NULL DEFAULT '{worker}',
    -- Which data directory its run folders lie in. Paths do not tell: two machines may use the same one.
    ADD COLUMN home       uuid,
    -- It ended as it should. Its row stays while it owns runs that go on without it, to say where their folders are.
    ADD COLUMN stopped_at timestamptz;
