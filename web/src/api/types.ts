/** Types of the HTTP API; the names are the schema names of its OpenAPI document. */

export interface FieldError {
  field: string;
  message: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  errors?: FieldError[];
}

export interface PageMeta {
  current_page: number;
  per_page: number;
  total: number;
  last_page: number;
}

export interface Page<T> {
  data: T[];
  meta: PageMeta;
}

export type Role = "admin" | "operator" | "viewer" | "auditor";

export interface User {
  id: string;
  username: string;
  role: Role;
  disabled: boolean;
  created_at: string;
}

export interface Session {
  user: User;
  expires_at: string;
}

export interface SetupState {
  needed: boolean;
}

export interface SignInLink {
  url_path: string;
  expires_at: string;
}

export interface ApiToken {
  id: string;
  name: string;
  user_id: string;
  username: string;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface CreatedApiToken {
  token: string;
  api_token: ApiToken;
}

export interface HostKey {
  id: string;
  key_type: string;
  fingerprint: string;
  first_seen_at: string;
}

export interface PrivateKeyRef {
  id: string;
  name: string;
  fingerprint: string;
}

export type ServerStatus = "active" | "inactive";

export interface Server {
  id: string;
  hostname: string;
  name: string;
  ssh_host: string;
  ssh_port: number;
  ssh_username: string;
  tags: string[];
  distro: string | null;
  architecture: string | null;
  status: ServerStatus;
  metadata: Record<string, unknown>;
  private_key: PrivateKeyRef | null;
  host_keys: HostKey[];
  last_seen_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface CreateServer {
  hostname: string;
  name?: string;
  ssh_host: string;
  ssh_port?: number;
  ssh_username?: string;
  tags?: string[];
  distro?: string | null;
  architecture?: string | null;
  status?: ServerStatus;
  metadata?: Record<string, unknown>;
  private_key_id?: string | null;
}

export type UpdateServer = Partial<CreateServer>;

export interface ServerTag {
  tag: string;
  servers: number;
}

export interface PrivateKey {
  id: string;
  name: string;
  key_type: string;
  bits: number | null;
  fingerprint: string;
  public_key: string;
  has_passphrase: boolean;
  servers: number;
  created_at: string;
  updated_at: string;
}

export interface PlaybookPlay {
  name: string;
  hosts: string;
}

export interface Playbook {
  id: string;
  origin: "built_in" | "custom";
  path: string;
  name: string;
  description: string | null;
  plays?: PlaybookPlay[];
}

export interface PlaybookContent {
  playbook: Playbook;
  content: string;
}

export interface DeploymentOptions {
  forks?: number;
  check?: boolean;
  diff?: boolean;
  limit?: string;
  tags?: string[];
  skip_tags?: string[];
  start_at_task?: string;
  verbosity?: number;
  become?: boolean;
  timeout_seconds?: number;
}

export interface CreateDeployment {
  name?: string;
  description?: string;
  playbook: string;
  server_ids?: string[];
  tags?: string[];
  all?: true;
  variables?: Record<string, unknown>;
  secret_variables?: Record<string, string>;
  options?: DeploymentOptions;
}

export type DeploymentStatus = "pending" | "running" | "completed" | "failed" | "cancelled";

export type DeploymentReason =
  | "hosts_failed"
  | "hosts_unreachable"
  | "timed_out"
  | "worker_lost"
  | "playbook_error"
  | "inventory_error"
  | "launch_error"
  | "cancelled_by_user";

export interface DeploymentTarget {
  kind: "server_ids" | "tags" | "all";
  server_ids?: string[];
  tags?: string[];
}

export interface HostCounts {
  total: number;
  pending: number;
  running: number;
  success: number;
  failed: number;
  unreachable: number;
  skipped: number;
  cancelled: number;
  changed: number;
}

export interface Deployment {
  id: string;
  number: number;
  name: string;
  description: string | null;
  playbook: string;
  status: DeploymentStatus;
  reason: DeploymentReason | null;
  message: string | null;
  warnings: string[];
  target: DeploymentTarget;
  variables: Record<string, unknown>;
  secret_variables: string[];
  options: DeploymentOptions;
  counts: HostCounts;
  event_position: number;
  output_bytes: number;
  cancel_requested_at: string | null;
  retry_of: string | null;
  created_by: { id: string | null; username: string };
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
}

export type HostStatus =
  "pending" | "running" | "success" | "failed" | "unreachable" | "skipped" | "cancelled";

export interface DeploymentServer {
  host: string;
  server_id: string | null;
  address: string | null;
  status: HostStatus;
  changed: boolean;
  ok: number;
  changed_count: number;
  failed: number;
  skipped: number;
  rescued: number;
  ignored: number;
  unreachable: number;
  current_task: string | null;
  error_message: string | null;
  started_at: string | null;
  finished_at: string | null;
  position: number;
}

export interface DeploymentEvent {
  position: number;
  recorded_at: string;
  kind: string;
  host: string | null;
  task_id: string | null;
  play: string | null;
  task: string | null;
  payload: Record<string, unknown>;
}

export interface EventPage {
  data: DeploymentEvent[];
  next_after: number | null;
}

export interface OutputChunk {
  offset: number;
  text: string;
  recorded_at: string;
}

export interface OutputPage {
  data: OutputChunk[];
  next_after: number | null;
  total_bytes: number;
}

export interface Health {
  status: "ok" | "degraded";
  version: string;
  database: "ok" | "unavailable";
}
