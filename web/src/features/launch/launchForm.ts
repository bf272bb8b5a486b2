import { isWithin, messageAbout } from "@/api/client";
import type { Accelerator, CreateDeployment, Deployment, DeploymentOptions, FieldError } from "@/api/types";
import { splitWords } from "@/format/words";

export const STEPS = ["configuration", "servers", "review"] as const;
export type Step = (typeof STEPS)[number];

export interface VariableRow {
  /** Tells rows apart while they are edited. */
  key: number;
  name: string;
  value: string;
  secret: boolean;
}

export type TargetMode = "server_ids" | "tags" | "all";

/** The whole form, as typed. */
export interface LaunchForm {
  name: string;
  description: string;
  playbook: string;
  variables: VariableRow[];
  forks: string;
  timeout: string;
  limit: string;
  tags: string;
  skipTags: string;
  startAtTask: string;
  verbosity: string;
  check: boolean;
  diff: boolean;
  become: boolean;
  slices: string;
  /** Empty: as the playbook says. */
  accelerator: "" | Accelerator;
  allowOverlap: boolean;
  priority: string;
  mode: TargetMode;
  serverIds: string[];
  targetTags: string[];
}

export const EMPTY_LAUNCH: LaunchForm = {
  name: "",
  description: "",
  playbook: "",
  variables: [],
  forks: "50",
  timeout: "3600",
  limit: "",
  tags: "",
  skipTags: "",
  startAtTask: "",
  verbosity: "0",
  check: false,
  diff: false,
  become: false,
  slices: "1",
  accelerator: "",
  allowOverlap: false,
  priority: "0",
  mode: "server_ids",
  serverIds: [],
  targetTags: [],
};

/** A form that asks for the same again. The values of secret variables are not known and must be typed anew. */
export function formOfDeployment(deployment: Deployment): LaunchForm {
  const { options, target } = deployment;
  const plain = Object.entries(deployment.variables).map(([name, value]) => ({
    name,
    value: writeValue(value),
    secret: false,
  }));
  const secret = deployment.secret_variables.map((name) => ({ name, value: "", secret: true }));
  return {
    ...EMPTY_LAUNCH,
    name: deployment.name,
    description: deployment.description ?? "",
    playbook: deployment.playbook,
    variables: [...plain, ...secret].map((row, key) => ({ key, ...row })),
    forks: String(options.forks ?? EMPTY_LAUNCH.forks),
    timeout: String(options.timeout_seconds ?? EMPTY_LAUNCH.timeout),
    limit: options.limit ?? "",
    tags: (options.tags ?? []).join(", "),
    skipTags: (options.skip_tags ?? []).join(", "),
    startAtTask: options.start_at_task ?? "",
    verbosity: String(options.verbosity ?? 0),
    check: options.check ?? false,
    diff: options.diff ?? false,
    become: options.become ?? false,
    slices: String(options.slices ?? 1),
    accelerator: options.accelerator ?? "",
    allowOverlap: options.allow_overlap ?? false,
    priority: String(options.priority ?? 0),
    mode: target.kind === "recorded" ? "server_ids" : target.kind,
    serverIds: target.kind === "server_ids" ? target.server_ids : [],
    targetTags: target.kind === "tags" ? target.tags : [],
  };
}

/**
 * What a typed value means: JSON where it is JSON (`3`, `true`, `["a"]`, `"3"`), the text itself elsewhere.
 */
export function readValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The text that `readValue` reads as this value. */
export function writeValue(value: unknown): string {
  return typeof value === "string" && readValue(value) === value ? value : JSON.stringify(value);
}

export function requestOfLaunch(form: LaunchForm): CreateDeployment {
  const options: DeploymentOptions = {
    forks: Number(form.forks),
    timeout_seconds: Number(form.timeout),
    verbosity: Number(form.verbosity),
    check: form.check,
    diff: form.diff,
    become: form.become,
    slices: Number(form.slices),
    allow_overlap: form.allowOverlap,
    priority: Number(form.priority),
  };
  if (form.accelerator !== "") options.accelerator = form.accelerator;
  if (form.limit.trim() !== "") options.limit = form.limit.trim();
  if (form.startAtTask.trim() !== "") options.start_at_task = form.startAtTask.trim();
  const tags = splitCommas(form.tags);
  const skipTags = splitCommas(form.skipTags);
  if (tags.length > 0) options.tags = tags;
  if (skipTags.length > 0) options.skip_tags = skipTags;

  const request: CreateDeployment = { playbook: form.playbook, options };
  if (form.name.trim() !== "") request.name = form.name.trim();
  if (form.description.trim() !== "") request.description = form.description.trim();
  const rows = form.variables.filter((row) => row.name.trim() !== "");
  const plain = rows.filter((row) => !row.secret);
  const secret = rows.filter((row) => row.secret);
  if (plain.length > 0)
    request.variables = Object.fromEntries(plain.map((row) => [row.name.trim(), readValue(row.value)]));
  if (secret.length > 0)
    request.secret_variables = Object.fromEntries(secret.map((row) => [row.name.trim(), row.value]));
  if (form.mode === "all") request.all = true;
  else if (form.mode === "tags") request.tags = form.targetTags;
  else request.server_ids = form.serverIds;
  return request;
}

/** What can be said before asking the API; fields are named as the API names them. */
export function checkLaunch(form: LaunchForm): FieldError[] {
  const errors: FieldError[] = [];
  const say = (field: string, message: string) => errors.push({ field, message });
  if (form.playbook === "") say("playbook", "Choose a playbook.");
  if (!isWhole(form.forks, 1, 500)) say("options.forks", "Forks is a whole number from 1 to 500.");
  if (!isWhole(form.timeout, 1, 604_800))
    say("options.timeout_seconds", "The timeout is a number of seconds from 1 to 604,800 (a week).");
  if (!isWhole(form.slices, 1, 100)) say("options.slices", "Slices is a whole number from 1 to 100.");
  else if (Number(form.slices) > 1 && form.limit.trim() !== "")
    say("options.slices", "Slices cannot be combined with a limit. Choose fewer servers instead.");
  if (!isWhole(form.priority, -100, 100))
    say("options.priority", "The priority is a whole number from -100 to 100.");
  const seen = new Set<string>();
  for (const row of form.variables) {
    const name = row.name.trim();
    if (name === "") {
      if (row.value !== "") say(`row.${row.key}`, "Give this variable a name, or remove it.");
    } else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      say(`row.${row.key}`, "A variable's name has letters, digits and _, and does not start with a digit.");
    else if (seen.has(name)) say(`row.${row.key}`, `${name} is there twice.`);
    else if (row.secret && row.value === "") say(`row.${row.key}`, `Type the secret value of ${name}.`);
    seen.add(name);
  }
  if (form.mode === "server_ids" && form.serverIds.length === 0)
    say("server_ids", "Choose at least one server, or deploy by tags.");
  if (form.mode === "tags" && form.targetTags.length === 0) say("tags", "Choose at least one tag.");
  return errors;
}

/** Whether a field of the request says which servers are targets. */
export function isAboutTargets(field: string): boolean {
  return ["server_ids", "tags", "all", "target"].some((name) => isWithin(field, name));
}

/** The step on which a field of the request is edited. */
export function stepOfField(field: string): Step {
  return isAboutTargets(field) ? "servers" : "configuration";
}

/** The first step, in order, with an error. */
export function firstStepWithError(errors: readonly FieldError[]): Step | null {
  return STEPS.find((step) => errors.some((error) => stepOfField(error.field) === step)) ?? null;
}

/** What was said about one variable: by its row, or by its name in the request. */
export function variableError(errors: readonly FieldError[], row: VariableRow): string | undefined {
  const list = row.secret ? "secret_variables" : "variables";
  return messageAbout(errors, `row.${row.key}`) ?? messageAbout(errors, `${list}.${row.name.trim()}`);
}

function isWhole(text: string, from: number, to: number): boolean {
  return /^-?\d+$/.test(text.trim()) && Number(text) >= from && Number(text) <= to;
}

/** Ansible's tags may hold blanks; only commas separate them here. */
function splitCommas(text: string): string[] {
  return text.includes(",")
    ? [
        ...new Set(
          text
            .split(",")
            .map((tag) => tag.trim())
            .filter((tag) => tag !== ""),
        ),
      ]
    : splitWords(text);
}
