/** Answers held against a playbook's form, as the server does it at launch: it has the last word. */
import type { FieldError, Form, FormField, PlaybookForm } from "@/api/types";

/** Largest file that is an answer, in bytes. */
export const MAX_FILE_BYTES = 256 * 1024;

/** What is there for one field. */
export type Given =
  | { kind: "plain"; value: unknown }
  | { kind: "secret"; text: string }
  /** A secret of the environment or the preset: it is there, and not shown. */
  | { kind: "kept" }
  | { kind: "file"; size: number };

type GivenByName = ReadonlyMap<string, Given>;

/** The fields that are asked for, given the answers so far. */
export function shownFields(form: Form, given: GivenByName): FormField[] {
  const known = new Map<string, boolean>();
  const isShown = (field: FormField): boolean => {
    const before = known.get(field.name);
    if (before !== undefined) return before;
    // A field that waits for itself is not shown.
    known.set(field.name, false);
    const condition = field.shown_when;
    const other = condition && form.fields.find((one) => one.name === condition.field);
    const shown =
      condition === null ||
      (other !== null && other !== undefined && isShown(other) && equals(other, given, condition.equals));
    known.set(field.name, shown);
    return shown;
  };
  return form.fields.filter(isShown);
}

function equals(field: FormField, given: GivenByName, wanted: unknown): boolean {
  const answer = given.get(field.name);
  let value: unknown;
  if (answer === undefined || isNothing(answer)) value = field.default;
  else if (answer.kind === "plain") value = typed(field, answer.value).value;
  else if (answer.kind === "secret") value = answer.text;
  if (Array.isArray(value) && typeof wanted === "string") return value.includes(wanted);
  return value !== null && value !== undefined && JSON.stringify(value) === JSON.stringify(wanted);
}

/**
 * What is wrong with the answers; fields are named as the API names them. A draft suggests and binds nothing but what the
 * playbook itself asks for; a secret that an earlier deployment had and nobody typed again is refused there, too.
 */
export function checkAnswers(form: Form, source: PlaybookForm["source"], given: GivenByName): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of shownFields(form, given)) {
    const answer = given.get(field.name);
    if (answer === undefined || isNothing(answer)) {
      const asked = source === "file" ? field.required : field.origin === "vars_prompt";
      if (asked && (field.default ?? null) === null)
        errors.push({ field: `${listOf(field)}.${field.name}`, message: "is required" });
      continue;
    }
    if (answer.kind === "secret" && answer.text === "") {
      errors.push({ field: `secret_variables.${field.name}`, message: "was not kept: type it again" });
      continue;
    }
    if (source === "draft") continue;
    const message = refuse(field, answer);
    if (message !== null) errors.push({ field: `${placeOf(answer)}.${field.name}`, message });
  }
  return errors;
}

function isNothing(given: Given): boolean {
  return given.kind === "plain" && (given.value === null || given.value === undefined);
}

/** The list of the request that a field's answer belongs into. */
function listOf(field: Pick<FormField, "type">): "variables" | "secret_variables" | "files" {
  return field.type === "secret" ? "secret_variables" : field.type === "file" ? "files" : "variables";
}

function placeOf(given: Given): string {
  return given.kind === "plain" ? "variables" : given.kind === "file" ? "files" : "secret_variables";
}

function refuse(field: FormField, given: Given): string | null {
  if (given.kind === "kept") return null;
  if (field.type === "file") {
    if (given.kind !== "file") return "is a file: it is given among the files";
    return given.size <= MAX_FILE_BYTES ? null : `must be at most ${MAX_FILE_BYTES} bytes`;
  }
  if (given.kind === "file") return `is no file but a ${field.type.replace("_", " ")}`;
  const { value, error } = typed(field, given.kind === "plain" ? given.value : given.text);
  if (error !== undefined) return error;
  if (field.required && isEmpty(value)) return "is required";
  return checkValue(field, value);
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The value in the field's type; texts, as a command line gives them, are read. */
export function typed(field: FormField, value: unknown): { value?: unknown; error?: string } {
  const isList = Array.isArray(value) && value.every((item) => typeof item === "string");
  switch (field.type) {
    case "number":
      if (typeof value === "number") return { value };
      if (typeof value === "string" && NUMBER.test(value.trim())) return { value: Number(value.trim()) };
      return { error: "must be a number" };
    case "boolean": {
      if (typeof value === "boolean") return { value };
      const word = typeof value === "string" ? value.trim().toLowerCase() : "";
      if (word === "true" || word === "yes") return { value: true };
      return word === "false" || word === "no" ? { value: false } : { error: "must be true or false" };
    }
    case "multi_choice":
      if (isList) return { value };
      return typeof value === "string"
        ? { value: readList(field, value) }
        : { error: "must be a list of texts" };
    case "server":
      if (isList || typeof value === "string") return { value };
      return { error: "must be a hostname, or a list of them" };
    case "file":
      return { error: "must be a file" };
    default:
      return typeof value === "string" ? { value } : { error: "must be text: put it into quotes" };
  }
}

/** `a, b`; but one choice that holds a comma is itself. */
function readList(field: FormField, text: string): string[] {
  if (field.choices.includes(text)) return [text];
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function isEmpty(value: unknown): boolean {
  return value === "" || (Array.isArray(value) && value.length === 0);
}

function checkValue(field: FormField, value: unknown): string | null {
  if (isEmpty(value)) return null;
  if (typeof value === "number") {
    const below = field.min !== null && value < field.min;
    const above = field.max !== null && value > field.max;
    return below || above ? bounds(field, "") : null;
  }
  if (field.type === "choice") return checkChoice(field, value as string);
  if (field.type === "multi_choice") {
    const chosen = value as string[];
    for (const [index, choice] of chosen.entries()) {
      const wrong = checkChoice(field, choice);
      if (wrong !== null) return wrong;
      if (chosen.indexOf(choice) !== index) return `names "${choice}" twice`;
    }
    return checkSize(field, chosen.length, "choices");
  }
  if ((field.type === "text" || field.type === "secret") && typeof value === "string") {
    const size = checkSize(field, [...value].length, "characters");
    if (size !== null) return size;
    const pattern = field.pattern === null ? null : compile(field.pattern, value);
    return pattern === null || pattern.test(value) ? null : `must match ${field.pattern}`;
  }
  return null;
}

/** A repeated group that holds a repetition or a choice may take for ever here, and not on the server. */
const MAY_TAKE_FOR_EVER = /[*+}|].*\)[*+{]/s;
const LONG_TEXT = 1_000;

/** The pattern as the whole text must match it; null when only the server can tell. */
function compile(pattern: string, text: string): RegExp | null {
  if (MAY_TAKE_FOR_EVER.test(pattern) || text.length > LONG_TEXT) return null;
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    return null;
  }
}

const MAX_NAMED = 10;

function checkChoice(field: FormField, text: string): string | null {
  if (field.choices.includes(text)) return null;
  const named = field.choices.slice(0, MAX_NAMED).join(", ");
  return `must be one of: ${named}${field.choices.length > MAX_NAMED ? ", …" : ""}`;
}

function checkSize(field: FormField, size: number, what: string): string | null {
  const below = field.min !== null && size < field.min;
  const above = field.max !== null && size > field.max;
  return below || above ? bounds(field, what) : null;
}

function bounds({ min, max }: FormField, what: string): string {
  if (what === "") {
    if (min !== null && max !== null) return `must be between ${min} and ${max}`;
    return min !== null ? `must be at least ${min}` : `must be at most ${max}`;
  }
  if (min !== null && max !== null) return `must have ${min} to ${max} ${what}`;
  return min !== null ? `must have at least ${min} ${what}` : `must have at most ${max} ${what}`;
}
