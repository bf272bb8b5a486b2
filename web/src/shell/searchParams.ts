/**
 * The query part of an address as plain text: `?tag=web&tag=db&page=2`. A key given once is a string,
 * given more than once a list; every route turns them into its own types.
 */
type RawSearch = Record<string, unknown>;

export function parseSearch(text: string): RawSearch {
  const search: Record<string, string | string[]> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    const known = search[key];
    if (known === undefined) search[key] = value;
    else search[key] = typeof known === "string" ? [known, value] : [...known, value];
  }
  return search;
}

export function stringifySearch(search: RawSearch): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value === undefined || value === null || value === "" || value === false) continue;
    if (Array.isArray(value)) for (const entry of value) parameters.append(key, String(entry));
    else parameters.append(key, String(value as string | number | boolean));
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

export function textParameter(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" && first !== "" ? first : undefined;
}

export function listParameter(value: unknown): string[] | undefined {
  const all: unknown[] = Array.isArray(value) ? value : [value];
  const texts = all.filter((entry): entry is string => typeof entry === "string" && entry !== "");
  return texts.length === 0 ? undefined : texts;
}

export function pageParameter(value: unknown): number | undefined {
  const page = Number(value);
  return Number.isInteger(page) && page > 1 ? page : undefined;
}

/** A whole number from 0. */
export function countParameter(value: unknown): number | undefined {
  const text = textParameter(value) ?? (typeof value === "number" ? String(value) : undefined);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

export function choiceParameter<T extends string>(value: unknown, choices: readonly T[]): T | undefined {
  return choices.find((choice) => choice === textParameter(value));
}
