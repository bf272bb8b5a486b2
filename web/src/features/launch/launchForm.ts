import { isWithin, messageAbout } from "@/api/client";
import type {
  Accelerator,
  CreateDeployment,
  Deployment,
  DeploymentOptions,
  FieldError,
  FileAnswer,
} from "@/api/types";
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

/** An answer to a field of the playbook's form, as typed. */
export interface Answer {
  value: string;
  secret: boolean;
}

export type ChosenFile = FileAnswer & { size: number };

/** The whole form, as typed. */
export interface LaunchForm {
  name: string;
  description: string;
  kind: "playbook" | "adhoc";
  playbook: string;
  /** Empty: the current one. */
  versionId: string;
  environmentId: string;
  presetId: string;
  module: string;
  moduleArguments: string;
  /** By the field's name; what is not answered has no entry. */
  answers: Readonly<Record<string, Answer>>;
  files: Readonly<Record<string, ChosenFile>>;
  /** Variables that are no fields of the playbook's form. */
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
  kind: "playbook",
  playbook: "",
  versionId: "",
  environmentId: "",
  presetId: "",
  module: "",
  moduleArguments: "",
  answers: {},
  files: {},
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

/** What a deployment was launched with that still exists. */
export interface Sources {
  environmentId?: string | undefined;
  presetId?: string | undefined;
}

/**
 * A form that asks for the same again. The values of secret variables are not known and must be typed anew, unless they come
 * from an environment or a preset that is there still: then so do all the others of these.
 */
export function formOfDeployment(deployment: Deployment, sources: Sources = {}): LaunchForm {
  const { target, command, variable_sources: from } = deployment;
  const comesAgain = (name: string) =>
    (from[name] === "environment" && sources.environmentId !== undefined) ||
    (from[name] === "preset" && sources.presetId !== undefined) ||
    from[name] === "form";
  const plain = Object.entries(deployment.variables).map(([name, value]) => ({
    name,
    value: writeValue(value),
    secret: false,
  }));
  const secret = deployment.secret_variables.map((name) => ({ name, value: "", secret: true }));
  const rows = [...plain, ...secret].filter(
    ({ name }) => !comesAgain(name) && !deployment.file_variables.includes(name),
  );
  return {
    ...applyOptions(EMPTY_LAUNCH, deployment.options),
    name: deployment.name,
    description: deployment.description ?? "",
    kind: deployment.kind === "adhoc" ? "adhoc" : "playbook",
    playbook: deployment.kind === "playbook" ? deployment.playbook : "",
    environmentId: sources.environmentId ?? "",
    presetId: sources.presetId ?? "",
    module: command?.kind === "module" ? command.module : "",
    moduleArguments: command?.kind === "module" ? command.arguments : "",
    variables: rows.map((row, key) => ({ key, ...row })),
    mode: target.kind === "recorded" ? "server_ids" : target.kind,
    serverIds: target.kind === "server_ids" ? target.server_ids : [],
    targetTags: target.kind === "tags" ? target.tags : [],
  };
}

/** The form with the options of a deployment or a preset. */
export function applyOptions(form: LaunchForm, options: DeploymentOptions): LaunchForm {
  return {
    ...form,
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
  };
}

/**
 * Variables that turn out to be fields of the playbook's form become answers, and answers without a field variables; what is
 * typed stays.
 */
export function settleAnswers(form: LaunchForm, fields: readonly string[]): LaunchForm {
  const known = new Set(fields);
  const rows = form.variables.filter((row) => known.has(row.name.trim()));
  const lost = Object.entries(form.answers).filter(([name]) => !known.has(name));
  if (rows.length === 0 && lost.length === 0) return form;
  const answers = Object.fromEntries([
    ...Object.entries(form.answers).filter(([name]) => known.has(name)),
    ...rows.map(({ name, value, secret }) => [name.trim(), { value, secret }] as const),
  ]);
  const next = Math.max(-1, ...form.variables.map((row) => row.key)) + 1;
  return {
    ...form,
    answers,
    variables: [
      ...form.variables.filter((row) => !known.has(row.name.trim())),
      ...lost.map(([name, answer], index) => ({ key: next + index, name, ...answer })),
    ],
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

export function optionsOfLaunch(form: LaunchForm): DeploymentOptions {
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

  return options;
}

/** Variables as the API takes them: answers and rows alike. Fields that are `hidden` are left out. */
export function variablesOfLaunch(
  form: LaunchForm,
  hidden: ReadonlySet<string> = new Set(),
): Pick<CreateDeployment, "variables" | "secret_variables" | "files"> {
  const rows = [
    ...Object.entries(form.answers)
      .filter(([name]) => !hidden.has(name))
      .map(([name, answer]) => ({ name, ...answer })),
    ...form.variables.map((row) => ({ ...row, name: row.name.trim() })).filter((row) => row.name !== ""),
  ];
  const plain = rows.filter((row) => !row.secret).map((row) => [row.name, readValue(row.value)] as const);
  const secret = rows.filter((row) => row.secret).map((row) => [row.name, row.value] as const);
  const files = Object.entries(form.files)
    .filter(([name]) => !hidden.has(name))
    .map(([name, file]) => [name, { name: file.name, content_base64: file.content_base64 }] as const);
  return {
    ...(plain.length > 0 && { variables: Object.fromEntries(plain) }),
    ...(secret.length > 0 && { secret_variables: Object.fromEntries(secret) }),
    ...(files.length > 0 && { files: Object.fromEntries(files) }),
  };
}

export function requestOfLaunch(form: LaunchForm, hidden?: ReadonlySet<string>): CreateDeployment {
  const request: CreateDeployment = { options: optionsOfLaunch(form) };
  if (form.kind === "adhoc")
    request.command = { module: form.module.trim(), arguments: form.moduleArguments.trim() };
  else {
    request.playbook = form.playbook;
    if (form.versionId !== "") request.version_id = form.versionId;
    if (form.environmentId !== "") request.environment_id = form.environmentId;
    if (form.presetId !== "") request.preset_id = form.presetId;
    Object.assign(request, variablesOfLaunch(form, hidden));
  }
  if (form.name.trim() !== "") request.name = form.name.trim();
  if (form.description.trim() !== "") request.description = form.description.trim();
  if (form.mode === "all") request.all = true;
  else if (form.mode === "tags") request.tags = form.targetTags;
  else request.server_ids = form.serverIds;
  return request;
}

/** What can be said before asking the API; fields are named as the API names them. */
export function checkLaunch(form: LaunchForm): FieldError[] {
  const errors: FieldError[] = [];
  const say = (field: string, message: string) => errors.push({ field, message });
  if (form.kind === "adhoc") {
    if (form.module.trim() === "") say("command.module", "Name a module, such as ping or shell.");
  } else if (form.playbook === "") say("playbook", "Choose a playbook.");
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
    else if (form.answers[name] !== undefined)
      say(`row.${row.key}`, `${name} is a field of the form above. Answer it there.`);
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
