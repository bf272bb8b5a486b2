-- A recorded run has no worker and no lease that could run out: when its recorder was last heard of.
ALTER TABLE admiral.runs ADD COLUMN heard_at timestamptz;
CREATE INDEX runs_heard_at_idx ON admiral.runs (heard_at) WHERE recorded AND status <> 'finished';
