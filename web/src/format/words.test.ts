import { expect, it } from "vitest";

import { firstLine, splitWords } from "./words";

it("splits at commas and blanks, and drops repetitions", () => {
  expect(splitWords(" web, db  eu,web ")).toEqual(["web", "db", "eu"]);
  expect(splitWords("")).toEqual([]);
});

it("cuts after the first line", () => {
  expect(firstLine("one")).toBe("one");
  expect(firstLine("one\r\ntwo")).toBe("one…");
});
