/** Shapes that the OpenAPI snapshot does not have yet. What `generated.ts` learns goes from here. */
import type {
  CreateDeployment,
  DeploymentOptions,
  Outline,
  Package,
  PackageFile,
  PackageVersion,
  VariableSource,
} from "./types";

export type Severity = "error" | "warning" | "note";

export interface Finding {
  path: string;
  line: number | null;
  column: number | null;
  severity: Severity;
  rule: string;
  message: string;
}

export interface FindingList {
  data: Finding[];
  lint: "ran" | "not_installed" | "failed";
}

export interface InspectedPackage {
  suggested_name: string;
  files: PackageFile[];
  entry_points: { path: string; outline: Outline }[];
  findings: Finding[];
}

export interface UploadedPackage {
  package: Package;
  version: PackageVersion;
  findings: Finding[];
}

export type FieldType =
  "text" | "number" | "boolean" | "choice" | "multi_choice" | "secret" | "server" | "file";

export interface FormField {
  name: string;
  type: FieldType;
  label: string;
  help: string | null;
  required: boolean;
  default: unknown;
  choices: string[];
  pattern: string | null;
  min: number | null;
  max: number | null;
  shown_when: { field: string; equals: unknown } | null;
  origin: "form" | "vars_prompt" | "argument_specs" | "vars";
}

export interface Form {
  fields: FormField[];
}

export interface ParsedForm {
  form: Form | null;
  errors: Finding[];
}

export interface PlaybookForm extends ParsedForm {
  source: "file" | "draft";
  path: string;
  yaml: string;
}

export interface Preset {
  id: string;
  playbook: string;
  name: string;
  description: string | null;
  variables: Record<string, unknown>;
  secret_variables: string[];
  options: DeploymentOptions;
  created_by_name: string;
  created_at: string;
  updated_at: string;
}

export interface Environment {
  id: string;
  name: string;
  description: string | null;
  variables: Record<string, unknown>;
  secret_variables: string[];
  created_at: string;
  updated_at: string;
}

export interface LaunchedFile {
  name: string;
  content_base64: string;
}

export interface ModuleCommand {
  module: string;
  arguments: string;
}

export type LaunchRequest = Omit<CreateDeployment, "playbook"> & {
  playbook?: string;
  environment_id?: string;
  preset_id?: string;
  files?: Record<string, LaunchedFile>;
  command?: ModuleCommand;
};

export interface PreviewVariable {
  name: string;
  /** Null for a secret and for a file. */
  value: unknown;
  secret: boolean;
  source: VariableSource;
  overrides: VariableSource[];
}

export interface Preview {
  playbook: string;
  version: PackageVersion | null;
  variables: PreviewVariable[];
  servers: { id: string; hostname: string }[];
  server_total: number;
  options: DeploymentOptions;
  findings: Finding[];
  acknowledgement_needed: boolean;
  warnings: string[];
  errors: { field: string; message: string }[];
}

export type WebhookKind = "generic" | "github" | "gitlab";

export interface Project {
  id: string;
  name: string;
  url: string;
  reference: string;
  private_key: { id: string; name: string } | null;
  username: string | null;
  has_token: boolean;
  submodules: boolean;
  sync_before_launch: boolean;
  sync_interval_seconds: number | null;
  webhook_kind: WebhookKind | null;
  webhook_path: string;
  has_webhook_secret: boolean;
  host_keys: string[];
  synced_at: string | null;
  commit_id: string | null;
  attempted_at: string | null;
  error: string | null;
  syncing: boolean;
}

export interface VaultPassword {
  id: string;
  vault_id: string;
  package: { id: string; name: string } | null;
  created_at: string;
  updated_at: string;
}

export interface GalaxyServer {
  id: string;
  name: string;
  url: string;
  auth_url: string | null;
  has_token: boolean;
  position: number;
}
