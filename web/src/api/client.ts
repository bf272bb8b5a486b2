import { noteUnavailable } from "./connection";
import type { FieldError, Problem } from "./types";

/** Whether `field` is `name` or inside it: `tags[0]` is inside `tags`, `variables.x.y` inside `variables.x`. */
export function isWithin(field: string, name: string): boolean {
  return field === name || field.startsWith(`${name}.`) || field.startsWith(`${name}[`);
}

/** What the API said about one field, or about something inside it. */
export function messageAbout(errors: readonly FieldError[], name: string): string | undefined {
  const error =
    errors.find(({ field }) => field === name) ?? errors.find(({ field }) => isWithin(field, name));
  if (error === undefined || error.field === name) return error?.message;
  const [, first, rest] = /^[.[]([^.[\]]*)\]?(.*)$/.exec(error.field.slice(name.length)) ?? [];
  const place = /^\d+$/.test(first ?? "") ? `Entry ${Number(first) + 1}${rest}` : `${first}${rest}`;
  return `${place} ${error.message}`;
}

/** A refusal or failure of the API, or of the way to it (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: FieldError[];
  readonly requestId: string | null;
  /** The whole body: some codes carry members of their own. */
  readonly body: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    fields: FieldError[],
    requestId: string | null,
    body: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.fields = fields;
    this.requestId = requestId;
    this.body = body;
  }

  /** Whether asking again later may help: nobody answered, or the database or the server behind a proxy is away. */
  get isPassing(): boolean {
    return this.status === 0 || (this.status >= 502 && this.status <= 504);
  }

  /** What was said about one field of the request, or about something inside it. */
  field(name: string): string | undefined {
    return messageAbout(this.fields, name);
  }
}

type QueryValue = string | number | boolean | null | undefined | readonly string[];
export type Query = Record<string, QueryValue>;

let onUnauthenticated: () => void = () => undefined;

/** Called whenever the API says that nobody is signed in (any more). */
export function setUnauthenticatedHandler(handler: () => void): void {
  onUnauthenticated = handler;
}

/** Builds `path?query`; empty values are left out, lists repeat their key. */
export function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    if (typeof value === "object") for (const entry of value) parameters.append(key, entry);
    else parameters.append(key, String(value));
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Turns a refusing answer into an error, also when a proxy answered instead of Admiral. */
export function errorFrom(status: number, body: unknown): ApiError {
  if (typeof body === "object" && body !== null && "code" in body) {
    const problem = body as Problem;
    return new ApiError(
      status,
      problem.code,
      problem.detail || problem.title,
      problem.errors ?? [],
      problem.request_id ?? null,
      body as Record<string, unknown>,
    );
  }
  return new ApiError(status, "internal", `The server answered with status ${status}.`, [], null);
}

interface RequestOptions {
  body?: unknown;
  signal?: AbortSignal;
  /** A 401 of these requests is an answer, not a lost session. */
  anonymous?: boolean;
}

async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal ?? null,
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    noteUnavailable();
    throw new ApiError(
      0,
      "unreachable",
      "Admiral cannot be reached. Check your network, then try again.",
      [],
      null,
    );
  }
  const text = await response.text();
  let body: unknown = null;
  if (text !== "") {
    try {
      body = JSON.parse(text);
    } catch {
      if (response.ok) throw errorFrom(response.status, null);
    }
  }
  if (!response.ok) {
    if (response.status === 401 && options.anonymous !== true) onUnauthenticated();
    const error = errorFrom(response.status, body);
    if (error.isPassing) noteUnavailable();
    throw error;
  }
  return body as T;
}

export const api = {
  get: <T>(path: string, options?: RequestOptions) => request<T>("GET", path, options),
  post: <T>(path: string, body: unknown, options?: RequestOptions) =>
    request<T>("POST", path, { ...options, body }),
  patch: <T>(path: string, body: unknown) => request<T>("PATCH", path, { body }),
  delete: <T = null>(path: string) => request<T>("DELETE", path),
};
