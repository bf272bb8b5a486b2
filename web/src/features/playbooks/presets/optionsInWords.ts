import type { DeploymentOptions } from "@/api/types";

/** The options that differ from what a launch has anyway: `check mode, 5 forks`. */
export function optionsInWords(options: DeploymentOptions): string {
  const words = [
    options.check === true && "check mode",
    options.diff === true && "show diffs",
    options.become === true && "become root",
    options.forks !== undefined && options.forks !== 50 && `${options.forks} forks`,
    (options.limit ?? "") !== "" && `limit ${options.limit}`,
    (options.tags ?? []).length > 0 && `only tags ${options.tags?.join(", ")}`,
    (options.skip_tags ?? []).length > 0 && `skip tags ${options.skip_tags?.join(", ")}`,
    (options.start_at_task ?? "") !== "" && `start at ${options.start_at_task}`,
    (options.slices ?? 1) > 1 && `${options.slices} slices`,
    options.accelerator != null && options.accelerator,
    (options.verbosity ?? 0) > 0 && `verbosity ${options.verbosity}`,
    (options.priority ?? 0) !== 0 && `priority ${options.priority}`,
    options.controller === "writable" && "writable controller",
    (options.writable_paths ?? []).length > 0 && `writes to ${options.writable_paths?.join(", ")}`,
  ].filter((word): word is string => typeof word === "string");
  return words.length === 0 ? "the usual" : words.join(", ");
}
