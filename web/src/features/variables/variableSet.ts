import { readValue, writeValue, type VariableRow } from "./variableRows";

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
  /** All that are not secret; left out when they are as before. */
  variables?: Record<string, unknown>;
  /** Only those that are new or typed anew; null takes one away. */
  secret_variables: Record<string, string | null>;
}

/** What is asked for when the rows are saved over `before`. */
export function changesOfRows(
  rows: readonly VariableRow[],
  before: VariableSet | undefined,
): VariableChanges {
  const named = rows.map((row) => ({ ...row, name: row.name.trim() })).filter((row) => row.name !== "");
  const plain = named.filter((row) => !row.secret).map(({ name, value }) => [name, value] as const);
  const secret = named.filter((row) => row.secret);
  const gone = (before?.secret_variables ?? []).filter((name) => !secret.some((row) => row.name === name));
  // As typed, because a value that was read may differ from the stored one: numbers lose digits in a browser.
  const typedBefore = before === undefined ? null : rowsOf(before).filter((row) => !row.secret);
  const same =
    JSON.stringify(plain) === JSON.stringify(typedBefore?.map(({ name, value }) => [name, value] as const));
  return {
    ...(!same && {
      variables: Object.fromEntries(plain.map(([name, value]) => [name, readValue(value)])),
    }),
    secret_variables: Object.fromEntries([
      ...secret.filter((row) => row.value !== "").map((row) => [row.name, row.value] as const),
      ...gone.map((name) => [name, null] as const),
    ]),
  };
}
