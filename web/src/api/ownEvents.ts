/** The kinds of events that Admiral adds to those of Ansible. */
export const OWN_EVENTS = [
  "deployment_waiting",
  "deployment_started",
  "run_started",
  "run_finished",
  "cancel_requested",
  "warning",
  "deployment_finished",
] as const;
