import type { Environment, FieldError, FormField, PlaybookForm, Preset } from "@/api/types";
import { checkAnswers, shownFields, type Given } from "./formAnswers";
import { readValue } from "@/features/variables/variableRows";
import type { LaunchForm } from "./launchForm";

/** What a field has unless the launch says otherwise, and where from. */
export type Lower = { source: string } & ({ value: unknown } | { secret: true });

/** The variables of the environment and the preset; the preset's win. */
export function lowerValues(
  environment: Environment | undefined,
  preset: Preset | undefined,
): ReadonlyMap<string, Lower> {
  const lower = new Map<string, Lower>();
  const put = (set: Environment | Preset | undefined, kind: string) => {
    if (set === undefined) return;
    const source = `${kind} ${set.name}`;
    for (const [name, value] of Object.entries(set.variables)) lower.set(name, { source, value });
    for (const name of set.secret_variables) lower.set(name, { source, secret: true });
  };
  put(environment, "environment");
  put(preset, "preset");
  return lower;
}

/** The entries with this one put in; undefined takes it away. */
export function withEntry<T>(
  all: Readonly<Record<string, T>>,
  name: string,
  value: T | undefined,
): Record<string, T> {
  const others = Object.entries(all).filter(([other]) => other !== name);
  return Object.fromEntries(value === undefined ? others : [...others, [name, value]]);
}

/** All answers, from wherever they come. */
export function givenAnswers(
  form: Pick<LaunchForm, "answers" | "files">,
  lower: ReadonlyMap<string, Lower>,
): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [name, below] of lower)
    given.set(name, "secret" in below ? { kind: "kept" } : { kind: "plain", value: below.value });
  for (const [name, answer] of Object.entries(form.answers))
    given.set(
      name,
      answer.secret
        ? { kind: "secret", text: answer.value }
        : { kind: "plain", value: readValue(answer.value) },
    );
  for (const [name, file] of Object.entries(form.files)) given.set(name, { kind: "file", size: file.size });
  return given;
}

/** Fields that are not asked for now: their answers stay behind. */
export function hiddenFields(
  definition: PlaybookForm | undefined,
  given: ReadonlyMap<string, Given>,
): ReadonlySet<string> {
  const fields = definition?.form?.fields ?? [];
  const shown = new Set(shownFields({ fields }, given).map((field) => field.name));
  return new Set(fields.map((field) => field.name).filter((name) => !shown.has(name)));
}

/** What is wrong with the answers. */
export function answerErrors(
  definition: PlaybookForm | undefined,
  given: ReadonlyMap<string, Given>,
): FieldError[] {
  if (definition?.form == null) return [];
  return checkAnswers(definition.form, definition.source, given);
}

/** What was said about one field: under which list it is named depends on how it was given. */
export function fieldError(errors: readonly FieldError[], name: string): string | undefined {
  for (const list of ["variables", "secret_variables", "files"]) {
    const found = errors.find(
      ({ field }) =>
        field === `${list}.${name}` ||
        field.startsWith(`${list}.${name}.`) ||
        field.startsWith(`${list}.${name}[`),
    );
    if (found !== undefined) return found.message;
  }
  return undefined;
}

/** `must match x` → `Version must match x`; whole sentences stay. */
export function sentence(field: FormField, message: string): string {
  return /^[a-z]/.test(message) ? `${field.label} ${message}` : message;
}
