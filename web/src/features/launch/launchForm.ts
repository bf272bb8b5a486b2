import { isWithin } from "@/api/client";
import type { CreateDeployment, Deployment, FieldError, FileAnswer } from "@/api/types";
import { checkOptions, formOfOptions, optionsOfForm, type OptionsForm } from "@/features/options/options";
import { checkRows, readValue, writeValue, type VariableRow } from "@/features/variables/variableRows";

export const STEPS = ["configuration", "servers", "review"] as const;
export type Step = (typeof STEPS)[number];

export type TargetMode = "server_ids" | "tags" | "all";

/** An answer to a field of the playbook's form, as typed. */
export interface Answer {
  value: string;
  secret: boolean;
}

export type ChosenFile = FileAnswer & { size: number };

/** The whole form, as typed. */
export interface LaunchForm extends OptionsForm {
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
  ...formOfOptions({}),
  mode: "server_ids",
  serverIds: [],
  targetTags: [],
};

/** What a deployment was launched with that still exists. */
interface Sources {
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
    ...EMPTY_LAUNCH,
    ...formOfOptions(deployment.options),
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

/** Whether leaving the form would lose work: more was filled in than the choice of a playbook. */
export function isFilledIn(form: LaunchForm, initial: LaunchForm): boolean {
  return contentOf(form) !== contentOf(initial);
}

/** The form as text, whether a variable is a row or an answer to a field. */
function contentOf({ answers, variables, files, ...rest }: LaunchForm): string {
  const rows = [...Object.entries(answers).map(([name, answer]) => ({ name, ...answer })), ...variables];
  return JSON.stringify([
    { ...rest, playbook: "" },
    rows.map(({ name, value, secret }) => JSON.stringify([name.trim(), value, secret])).sort(),
    files,
  ]);
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
  const request: CreateDeployment = { options: optionsOfForm(form) };
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
  errors.push(...checkOptions(form));
  errors.push(
    ...checkRows(form.variables, [], (name) =>
      form.answers[name] === undefined ? null : `${name} is a field of the form above. Answer it there.`,
    ),
  );
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
