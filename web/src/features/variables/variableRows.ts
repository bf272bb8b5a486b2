import { messageAbout } from "@/api/client";
import type { FieldError } from "@/api/types";

/** A variable as it is typed. */
export interface VariableRow {
  /** Tells rows apart while they are edited. */
  key: number;
  name: string;
  value: string;
  secret: boolean;
}

/**
 * What a typed value means: JSON where it is JSON (`3`, `true`, `["a"]`, `"3"`), the text itself elsewhere. So is a number
 * that would change by being read, such as `1.10` or one of 18 digits.
 */
export function readValue(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "number" && String(value) !== text.trim() ? text : value;
  } catch {
    return text;
  }
}

/** The text that `readValue` reads as this value. */
export function writeValue(value: unknown): string {
  return typeof value === "string" && readValue(value) === value ? value : JSON.stringify(value);
}

/**
 * What is wrong with the rows, by the row's key as `row.KEY`. The values of secrets that are `kept` need not be typed again.
 * `taken` says why a name cannot be used here.
 */
export function checkRows(
  rows: readonly VariableRow[],
  kept: readonly string[] = [],
  taken: (name: string) => string | null = () => null,
): FieldError[] {
  const seen = new Set<string>();
  const refuse = (row: VariableRow, name: string): string | null => {
    if (name === "") return row.value === "" ? null : "Give this variable a name, or remove it.";
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return "A variable's name has letters, digits and _, and does not start with a digit.";
    if (seen.has(name)) return `${name} is there twice.`;
    const refusal = taken(name);
    if (refusal !== null || row.value !== "" || row.secret === kept.includes(name)) return refusal;
    return row.secret ? `Type the secret value of ${name}.` : "Type its value, or keep it secret.";
  };
  return rows.flatMap((row) => {
    const name = row.name.trim();
    const message = refuse(row, name);
    seen.add(name);
    return message === null ? [] : [{ field: `row.${row.key}`, message }];
  });
}

/** What was said about one variable: by its row, or by its name in the request. */
export function variableError(errors: readonly FieldError[], row: VariableRow): string | undefined {
  const list = row.secret ? "secret_variables" : "variables";
  return messageAbout(errors, `row.${row.key}`) ?? messageAbout(errors, `${list}.${row.name.trim()}`);
}
