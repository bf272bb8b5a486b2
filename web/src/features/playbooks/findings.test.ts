import { expect, it } from "vitest";

import type { Finding } from "@/api/types";
import { countFindings, placeOf, sortFindings } from "./findings";

const finding = (changes: Partial<Finding>): Finding => ({
  path: "site.yml",
  line: null,
  column: null,
  severity: "warning",
  rule: "x",
  message: "",
  ...changes,
});

it("puts the worst first, then goes by place", () => {
  const sorted = sortFindings([
    finding({ severity: "note" }),
    finding({ line: 10 }),
    finding({ line: 9 }),
    finding({ path: "a.yml", line: 20 }),
    finding({ severity: "error", line: 30 }),
  ]);
  expect(sorted.map((one) => [one.severity, placeOf(one)])).toEqual([
    ["error", "site.yml:30"],
    ["warning", "a.yml:20"],
    ["warning", "site.yml:9"],
    ["warning", "site.yml:10"],
    ["note", "site.yml"],
  ]);
});

it("counts", () => {
  expect(countFindings([])).toBe("");
  expect(countFindings([finding({}), finding({ severity: "error" }), finding({})])).toBe(
    "1 error, 2 warnings",
  );
  expect(placeOf(finding({ line: 3, column: 5 }))).toBe("site.yml:3:5");
  expect(placeOf(finding({ column: 5 }))).toBe("site.yml");
});
