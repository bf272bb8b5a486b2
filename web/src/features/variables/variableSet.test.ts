import { expect, it } from "vitest";

import { checkRows } from "./variableRows";
import { changesOfRows, rowsOf } from "./variableSet";

const BEFORE = { variables: { port: 80, version: "2" }, secret_variables: ["token", "old"] };
const row = (key: number, name: string, value: string, secret = false) => ({ key, name, value, secret });

it("gives back what it took, secrets untouched", () => {
  const rows = rowsOf(BEFORE);
  expect(rows.map((one) => [one.name, one.value, one.secret])).toEqual([
    ["port", "80", false],
    ["version", '"2"', false],
    ["token", "", true],
    ["old", "", true],
  ]);
  expect(checkRows(rows, BEFORE.secret_variables)).toEqual([]);
  expect(changesOfRows(rows, BEFORE)).toEqual({ secret_variables: {} });
  expect(changesOfRows(rowsOf({ ...BEFORE, secret_variables: [] }), undefined)).toEqual({
    variables: BEFORE.variables,
    secret_variables: {},
  });
});

it("names secrets that are new, and those that go", () => {
  const rows = [row(0, "token", "t", true), row(1, "new", "n", true), row(2, "", "")];
  expect(changesOfRows(rows, BEFORE)).toEqual({
    variables: {},
    secret_variables: { token: "t", new: "n", old: null },
  });
});

it("wants the value of a secret that it does not have", () => {
  const wrong = checkRows(
    [row(0, "token", "", true), row(1, "new", "", true), row(2, "2x", "1"), row(3, "a", ""), row(4, "a", "")],
    BEFORE.secret_variables,
  );
  expect(wrong.map((error) => error.field)).toEqual(["row.1", "row.2", "row.4"]);
});

it("does not send an empty value for a secret that is none any more", () => {
  const kept = BEFORE.secret_variables;
  expect(checkRows([row(0, "token", "")], kept)).toEqual([
    { field: "row.0", message: "Type its value, or keep it secret." },
  ]);
  expect(checkRows([row(0, "token", "x"), row(1, "old", "", true), row(2, "new", "")], kept)).toEqual([]);
});

it("sends the other variables when one of them changed", () => {
  const rows = rowsOf(BEFORE).map((one) => (one.name === "port" ? { ...one, value: "81" } : one));
  expect(changesOfRows(rows, BEFORE).variables).toEqual({ port: 81, version: "2" });
  expect(changesOfRows(rows.slice(1), BEFORE).variables).toEqual({ version: "2" });
});
