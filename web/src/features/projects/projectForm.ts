import type { Project, WebhookKind } from "@/api/types";

/** What the project form holds: text as typed. */
export interface ProjectForm {
  name: string;
  url: string;
  reference: string;
  private_key_id: string;
  username: string;
  /** Empty: as it is. */
  token: string;
  submodules: boolean;
  sync_before_launch: boolean;
  /** Minutes between looks at the repository; empty: never by itself. */
  interval: string;
}

export const EMPTY_PROJECT: ProjectForm = {
  name: "",
  url: "",
  reference: "",
  private_key_id: "",
  username: "",
  token: "",
  submodules: false,
  sync_before_launch: false,
  interval: "",
};

export const WEBHOOK_KINDS: readonly { kind: WebhookKind; name: string; hint: string }[] = [
  {
    kind: "generic",
    name: "Generic",
    hint: "Header X-Admiral-Signature: sha256= and the HMAC-SHA-256 of the body in hexadecimal.",
  },
  { kind: "github", name: "GitHub", hint: "Content type application/json, the push event." },
  { kind: "gitlab", name: "GitLab", hint: "The secret goes into “Secret token”; push events." },
];

const SECONDS_PER_MINUTE = 60;

export function formOfProject(project: Project): ProjectForm {
  return {
    name: project.name,
    url: project.url,
    reference: project.reference,
    private_key_id: project.private_key?.id ?? "",
    username: project.username,
    token: "",
    submodules: project.submodules,
    sync_before_launch: project.sync_before_launch,
    interval:
      project.sync_interval_seconds === null
        ? ""
        : String(project.sync_interval_seconds / SECONDS_PER_MINUTE),
  };
}

/** The fields that differ from what the project has; all that are filled in for a new one. */
export function requestOfProject(form: ProjectForm, project?: Project): Record<string, unknown> {
  const old = project === undefined ? EMPTY_PROJECT : formOfProject(project);
  const request: Record<string, unknown> = {};
  const put = (key: string, changed: boolean, value: unknown) => {
    if (changed) request[key] = value;
  };
  for (const key of ["name", "url", "reference", "username"] as const)
    put(key, form[key].trim() !== old[key], form[key].trim());
  const key = form.private_key_id;
  put("private_key_id", key !== old.private_key_id, key === "" ? null : key);
  put("token", form.token !== "", form.token);
  put("submodules", form.submodules !== old.submodules, form.submodules);
  put("sync_before_launch", form.sync_before_launch !== old.sync_before_launch, form.sync_before_launch);
  const interval = form.interval.trim();
  put(
    "sync_interval_seconds",
    interval !== old.interval,
    interval === "" ? null : Math.round(Number(interval) * SECONDS_PER_MINUTE),
  );
  return request;
}

export type ProjectFormErrors = Partial<Record<keyof ProjectForm, string>>;

/** What can be said before asking the API. */
export function checkProjectForm(form: ProjectForm): ProjectFormErrors {
  const errors: ProjectFormErrors = {};
  if (form.name.trim() === "") errors.name = "Give the project a name.";
  if (form.url.trim() === "") errors.url = "Enter the repository's address.";
  else if (!isGitAddress(form.url.trim()))
    errors.url = "The address begins with https:// or ssh://, or is user@host:path.";
  else if (isSsh(form.url) && form.private_key_id === "")
    errors.private_key_id = "Choose the key whose public half the repository knows.";
  const interval = form.interval.trim();
  if (interval !== "" && !(Number(interval) >= 1))
    errors.interval = "Enter the minutes between two syncs, at least 1, or leave it empty.";
  return errors;
}

/** Whether a repository is reached over SSH: then a deploy key opens it, not a token. */
export function isSsh(url: string): boolean {
  return /^ssh:\/\//i.test(url.trim()) || /^[\w.-]+@[^/:]+:/.test(url.trim());
}

function isGitAddress(url: string): boolean {
  return /^https:\/\/[^/]/i.test(url) || isSsh(url);
}

/** A secret for a webhook: 32 random bytes as text. */
export function randomSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
