import type { Deployment, DeploymentServer } from "./types";

/** Whole objects for tests, with only what a test looks at written out. */
export function deploymentFixture(changes: Partial<Deployment>): Deployment {
  return {
    id: "0190a0a0-0000-7000-8000-000000000001",
    number: 1,
    name: "Ping",
    description: null,
    playbook: "builtin/ping.yml",
    status: "pending",
    reason: null,
    message: null,
    warnings: [],
    target: { kind: "all" },
    variables: {},
    secret_variables: [],
    options: {},
    isolation: null,
    waiting_for: [],
    counts: {
      total: 0,
      pending: 0,
      running: 0,
      success: 0,
      failed: 0,
      unreachable: 0,
      skipped: 0,
      cancelled: 0,
      changed: 0,
    },
    event_position: 0,
    output_bytes: 0,
    cancel_requested_at: null,
    retry_of: null,
    created_by: { id: null, username: "ada" },
    created_at: "2026-03-04T05:06:07Z",
    started_at: null,
    finished_at: null,
    ...changes,
  };
}

export function rowFixture(changes: Partial<DeploymentServer>): DeploymentServer {
  return {
    host: "web1",
    slice: 0,
    server_id: null,
    address: null,
    status: "pending",
    changed: false,
    ok: 0,
    changed_count: 0,
    failed: 0,
    skipped: 0,
    rescued: 0,
    ignored: 0,
    unreachable: 0,
    current_task: null,
    error_message: null,
    started_at: null,
    finished_at: null,
    position: 0,
    ...changes,
  };
}
