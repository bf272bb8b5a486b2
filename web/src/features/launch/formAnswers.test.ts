import { describe, expect, it } from "vitest";

import type { FormField } from "@/api/types";
import { checkAnswers, shownFields, type Given } from "./formAnswers";

function field(changes: Partial<FormField>): FormField {
  return {
    name: "x",
    type: "text",
    label: "X",
    help: null,
    required: false,
    default: null,
    choices: [],
    pattern: null,
    min: null,
    max: null,
    shown_when: null,
    origin: "form",
    ...changes,
  };
}

const plain = (values: Record<string, unknown>): Map<string, Given> =>
  new Map(Object.entries(values).map(([name, value]) => [name, { kind: "plain", value }]));
const complaints = (fields: FormField[], given: Map<string, Given>) =>
  checkAnswers({ fields }, "file", given).map((error) => `${error.field} ${error.message}`);

describe("each type takes what it says", () => {
  const text = field({ pattern: "\\d+\\.\\d+|ü*", min: 3, max: 5 });
  const number = field({ type: "number", min: 1, max: 10 });
  const multi = field({ type: "multi_choice", choices: ["a", "b,c", "d"], max: 2 });
  it.each([
    [text, "1.2", true],
    [text, "üüü", true],
    [text, "1.2\n", false],
    [text, "x1.2", false],
    [text, "1.", false],
    [text, "1.2345", false],
    [text, "", true],
    [field({}), 1, false],
    [number, 10, true],
    [number, 1.5, true],
    [number, "7", true],
    [number, "1e1", true],
    [number, 11, false],
    [number, "nan", false],
    [number, "0x5", false],
    [field({ type: "number" }), "inf", false],
    [number, true, false],
    [field({ type: "boolean" }), false, true],
    [field({ type: "boolean" }), "Yes", true],
    [field({ type: "boolean" }), 1, false],
    [field({ type: "choice", choices: ["a"] }), "a", true],
    [field({ type: "choice", choices: ["a"] }), "b", false],
    [multi, ["a", "b,c"], true],
    [multi, "b,c", true],
    [multi, "a, d", true],
    [multi, ["a", "a"], false],
    [multi, ["a", "b,c", "d"], false],
    [multi, [], true],
    [multi, [1], false],
    [field({ type: "server" }), "web1", true],
    [field({ type: "server" }), ["web1", "web2"], true],
    [field({ type: "server" }), 1, false],
    [field({ type: "file" }), "x", false],
  ])("%j takes %j: %s", (one, value, taken) => {
    expect(complaints([one], plain({ x: value })).length === 0).toBe(taken);
  });
});

it("says what is missing, at its place in the request", () => {
  const required = (type: FormField["type"]) => field({ name: type, type, required: true });
  expect(complaints([required("text"), required("secret"), required("file")], new Map())).toEqual([
    "variables.text is required",
    "secret_variables.secret is required",
    "files.file is required",
  ]);
  expect(complaints([required("text")], plain({ text: "" }))).toEqual(["variables.text is required"]);
  expect(complaints([{ ...required("text"), default: "a" }], new Map())).toEqual([]);
});

it("does not look into what it is not shown", () => {
  const secret = field({ name: "s", type: "secret", required: true, min: 8 });
  expect(complaints([secret], new Map([["s", { kind: "kept" }]]))).toEqual([]);
  expect(complaints([secret], new Map([["s", { kind: "secret", text: "short" }]]))).toEqual([
    "secret_variables.s must have at least 8 characters",
  ]);
  const file = field({ name: "f", type: "file" });
  expect(complaints([file], new Map([["f", { kind: "file", size: 300_000 }]]))).toEqual([
    "files.f must be at most 262144 bytes",
  ]);
});

it("wants a secret again that an earlier deployment had, in a draft, too", () => {
  const fields = [field({ name: "s", type: "secret" })];
  const given = (text: string) => new Map<string, Given>([["s", { kind: "secret", text }]]);
  for (const source of ["file", "draft"] as const) {
    expect(checkAnswers({ fields }, source, given(""))).toEqual([
      { field: "secret_variables.s", message: "was not kept: type it again" },
    ]);
    expect(checkAnswers({ fields }, source, given("typed"))).toEqual([]);
    expect(checkAnswers({ fields }, source, new Map())).toEqual([]);
  }
});

it("shows a field while another has its value, through several steps", () => {
  const fields = [
    field({ name: "tls", type: "boolean", default: false }),
    field({
      name: "issuer",
      type: "choice",
      choices: ["own", "other"],
      default: "own",
      shown_when: { field: "tls", equals: true },
    }),
    field({ name: "certificate", type: "file", shown_when: { field: "issuer", equals: "own" } }),
    field({ name: "ring", shown_when: { field: "ring", equals: "x" } }),
    field({ name: "lost", shown_when: { field: "nowhere", equals: "x" } }),
  ];
  const shown = (values: Record<string, unknown>) =>
    shownFields({ fields }, plain(values)).map((one) => one.name);
  expect(shown({})).toEqual(["tls"]);
  expect(shown({ tls: "yes" })).toEqual(["tls", "issuer", "certificate"]);
  expect(shown({ tls: true, issuer: "other" })).toEqual(["tls", "issuer"]);
  // What is not shown has no value.
  expect(shown({ issuer: "own" })).toEqual(["tls"]);
});

it("sees one choice among several", () => {
  const fields = [
    field({ name: "parts", type: "multi_choice", choices: ["web", "db"] }),
    field({ name: "port", shown_when: { field: "parts", equals: "db" } }),
  ];
  expect(shownFields({ fields }, plain({ parts: ["web", "db"] }))).toHaveLength(2);
  expect(shownFields({ fields }, plain({ parts: ["web"] }))).toHaveLength(1);
});

it("leaves a draft's suggestions alone, but not what the playbook asks for", () => {
  const fields = [
    field({ name: "port", type: "number", required: true, origin: "argument_specs" }),
    field({ name: "release", origin: "vars_prompt" }),
    field({ name: "user", origin: "vars_prompt", default: "root" }),
  ];
  expect(checkAnswers({ fields }, "draft", plain({ port: "many" }))).toEqual([
    { field: "variables.release", message: "is required" },
  ]);
});

it("leaves to the server what only the server can tell", () => {
  expect(complaints([field({ pattern: "(a+)+" })], plain({ x: `${"a".repeat(40)}b` }))).toEqual([]);
  expect(complaints([field({ pattern: "(a|aa)+" })], plain({ x: `${"a".repeat(40)}b` }))).toEqual([]);
  expect(complaints([field({ pattern: "(?<year>" })], plain({ x: "b" }))).toEqual([]);
});
