import { expect, it } from "vitest";

import { rowFixture } from "@/api/fixtures.test-data";
import { compareHosts, compareStatus, filterRows, nextFailure, parameterOf, sortingOf } from "./hostRows";

const ROWS = [
  rowFixture({ host: "web10", status: "success" }),
  rowFixture({ host: "web2", status: "failed", error_message: "No space left on device" }),
  rowFixture({ host: "db1", status: "unreachable", address: "10.0.0.9:22" }),
];
const hosts = (rows: { host: string }[]) => rows.map((row) => row.host);

it("filters by status and by every word", () => {
  expect(hosts(filterRows(ROWS, { status: ["failed", "unreachable"], search: "" }))).toEqual(["web2", "db1"]);
  expect(hosts(filterRows(ROWS, { status: [], search: "SPACE web" }))).toEqual(["web2"]);
  expect(hosts(filterRows(ROWS, { status: [], search: "10.0.0.9" }))).toEqual(["db1"]);
});

it("filters by slice", () => {
  const rows = [rowFixture({ host: "a", slice: 0 }), rowFixture({ host: "b", slice: 1 })];
  expect(hosts(filterRows(rows, { status: [], search: "", slice: 1 }))).toEqual(["b"]);
  expect(hosts(filterRows(rows, { status: [], search: "" }))).toEqual(["a", "b"]);
});

it("sorts names by their numbers, and failures first", () => {
  expect(hosts([...ROWS].sort(compareHosts))).toEqual(["db1", "web2", "web10"]);
  expect(hosts([...ROWS].sort(compareStatus))).toEqual(["web2", "db1", "web10"]);
});

it("goes round the failures", () => {
  expect(nextFailure(ROWS, -1)).toBe(1);
  expect(nextFailure(ROWS, 1)).toBe(2);
  expect(nextFailure(ROWS, 2)).toBe(1);
  expect(nextFailure(ROWS.slice(0, 1), -1)).toBe(-1);
  expect(nextFailure([], -1)).toBe(-1);
});

it("keeps the sorting in the address", () => {
  expect(parameterOf(sortingOf(undefined))).toBeUndefined();
  expect(parameterOf(sortingOf("-duration"))).toBe("-duration");
  expect(sortingOf("host")).toEqual([{ id: "host", desc: false }]);
});
