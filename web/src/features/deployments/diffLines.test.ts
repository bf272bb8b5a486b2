import { expect, it } from "vitest";

import { compareLines, linesOfDiff } from "./diffLines";

const show = (lines: { sign: string; text: string }[]) => lines.map((line) => line.sign + line.text);

it("compares before and after", () => {
  expect(show(linesOfDiff({ before: "a\nb\nc\n", after: "a\nx\nc\n", before_header: "/etc/f" }))).toEqual([
    "@before: /etc/f",
    " a",
    "-b",
    "+x",
    " c",
  ]);
});

it("shows a new file as added lines, and nothing for no difference", () => {
  expect(show(linesOfDiff({ before: "", after: "one\ntwo\n" }))).toEqual(["+one", "+two"]);
  expect(linesOfDiff({ before: "a", after: "a", before_header: "x" })).toEqual([]);
});

it("takes prepared diffs and structured values", () => {
  expect(show(linesOfDiff({ prepared: "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n" }))).toEqual([
    "@--- a",
    "@+++ b",
    "@@@ -1 +1 @@",
    "-old",
    "+new",
  ]);
  expect(show(linesOfDiff({ before: { state: "absent" }, after: { state: "directory" } }))).toEqual([
    " {",
    '-  "state": "absent"',
    '+  "state": "directory"',
    " }",
  ]);
});

it("leaves out what is far from a change", () => {
  const before = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const after = before.map((line, index) => (index === 2 || index === 25 ? `${line}!` : line));
  const lines = show(compareLines(before, after));
  expect(lines).toContain("@…");
  expect(lines).not.toContain(" line 12");
  expect(lines.filter((line) => line.startsWith("+"))).toEqual(["+line 2!", "+line 25!"]);
});
