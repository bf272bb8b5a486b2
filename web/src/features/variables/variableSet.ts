import type { VariableRow } from "@/features/launch/launchForm";
import { readValue, writeValue } from "@/features/launch/launchForm";

/** Variables that are kept under a name: a preset's, an environment's. */
export interface VariableSet {
  variables: Record<string, unknown>;
  secret_variables: string[];
}

/** As rows to edit. The values of secrets are not known: an empty one stays as it is. */
export function rowsOf(set: VariableSet): VariableRow[] {
  return [
    ...Object.entries(set.variables).map(([name, value]) => ({
      name,
      value: writeValue(value),
      secret: false,
    })),
    ...set.secret_variables.map((name) => ({ name, value: "", secret: true })),
  ].map((row, key) => ({ key, ...row }));
}

export interface VariableChanges {
  variables: Record<string, unknown>;
  /** Only those that are new or typed anew; null takes one away. */
  secret_variables: Record<string, string | null>;
}

/** What is asked for when the rows are saved over `before`. */
export function changesOfRows(
  rows: readonly VariableRow[],
  before: VariableSet | undefined,
): VariableChanges {
  const named = rows.map((row) => ({ ...row, name: row.name.trim() })).filter((row) => row.name !== "");
  const secret = named.filter((row) => row.secret);
  const gone = (before?.secret_variables ?? []).filter((name) => !secret.some((row) => row.name === name));
  return {
    variables: Object.fromEntries(
      named.filter((row) => !row.secret).map((row) => [row.name, readValue(row.value)]),
    ),
    secret_variables: Object.fromEntries([
      ...secret.filter((row) => row.value !== "").map((row) => [row.name, row.value] as const),
      ...gone.map((name) => [name, null] as const),
    ]),
  };
}

/** What is wrong with the rows, by the row's key as `row.KEY`. */
export function checkRows(rows: readonly VariableRow[], before: VariableSet | undefined) {
  const errors: { field: string; message: string }[] = [];
  const seen = new Set<string>();
  for (const row of rows) {
    const name = row.name.trim();
    const say = (message: string) => errors.push({ field: `row.${row.key}`, message });
    if (name === "") {
      if (row.value !== "") say("Give this variable a name, or remove it.");
    } else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      say("A variable's name has letters, digits and _, and does not start with a digit.");
    else if (seen.has(name)) say(`${name} is there twice.`);
    else if (row.secret && row.value === "" && before?.secret_variables.includes(name) !== true)
      say(`Type the secret value of ${name}.`);
    seen.add(name);
  }
  return errors;
}
