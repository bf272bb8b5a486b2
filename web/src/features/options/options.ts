import type { Accelerator, DeploymentOptions, FieldError } from "@/api/types";
import { splitWords } from "@/format/words";

/** The options of a deployment, as typed. */
export interface OptionsForm {
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
  controllerWritable: boolean;
  /** One path per line. */
  writablePaths: string;
}

/** The options of a deployment or a preset; what is left out has its default. */
export function formOfOptions(options: DeploymentOptions): OptionsForm {
  return {
    forks: String(options.forks ?? 50),
    timeout: String(options.timeout_seconds ?? 3600),
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
    controllerWritable: options.controller === "writable",
    writablePaths: (options.writable_paths ?? []).join("\n"),
  };
}

export function optionsOfForm(form: OptionsForm): DeploymentOptions {
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
  if (form.controllerWritable) options.controller = "writable";
  const writablePaths = pathsOf(form);
  if (writablePaths.length > 0) options.writable_paths = writablePaths;
  const tags = splitCommas(form.tags);
  const skipTags = splitCommas(form.skipTags);
  if (tags.length > 0) options.tags = tags;
  if (skipTags.length > 0) options.skip_tags = skipTags;
  return options;
}

/** The options to be saved over `before`; undefined where they are as they were. */
export function changedOptions(form: OptionsForm, before: DeploymentOptions): DeploymentOptions | undefined {
  return JSON.stringify(optionsOfForm(form)) === JSON.stringify(optionsOfForm(formOfOptions(before)))
    ? undefined
    : optionsOfForm(form);
}

/** What can be said before asking the API; fields are named as the API names them. */
export function checkOptions(form: OptionsForm): FieldError[] {
  const errors: FieldError[] = [];
  const say = (field: string, message: string) => errors.push({ field, message });
  if (!isWhole(form.forks, 1, 500)) say("options.forks", "Forks is a whole number from 1 to 500.");
  if (!isWhole(form.timeout, 1, 604_800))
    say("options.timeout_seconds", "The timeout is a number of seconds from 1 to 604,800 (a week).");
  if (!isWhole(form.slices, 1, 100)) say("options.slices", "Slices is a whole number from 1 to 100.");
  else if (Number(form.slices) > 1 && form.limit.trim() !== "")
    say("options.slices", "Slices cannot be combined with a limit. Choose fewer servers instead.");
  if (!isWhole(form.priority, -100, 100))
    say("options.priority", "The priority is a whole number from -100 to 100.");
  if (pathsOf(form).some((path) => !/^\/./.test(path)))
    say("options.writable_paths", "Each line is the absolute path of a folder, such as /srv/reports.");
  return errors;
}

function pathsOf(form: OptionsForm): string[] {
  return form.writablePaths
    .split("\n")
    .map((path) => path.trim())
    .filter((path) => path !== "");
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
