-- A worker says whether it can isolate runs: one that cannot claims nothing but built-in playbooks, and launches can tell.
-- A run that takes more of the machine than it may ends with a reason of its own.

ALTER TABLE admiral.workers
    ADD COLUMN isolation text NOT NULL DEFAULT 'strict' CONSTRAINT workers_isolation_check
        CHECK (isolation IN ('strict', 'unavailable', 'none'));

ALTER TABLE admiral.deployments
    DROP CONSTRAINT deployments_reason_check,
    ADD CONSTRAINT deployments_reason_check CHECK (reason IN
        ('hosts_failed', 'hosts_unreachable', 'timed_out', 'resource_limit', 'worker_lost', 'playbook_error', 'inventory_error',
         'launch_error', 'cancelled_by_user'));
