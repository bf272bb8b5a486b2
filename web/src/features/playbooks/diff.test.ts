import { expect, it } from "vitest";

import { countLines, modeChange, unifiedLines } from "./diff";

const DIFF = `--- a/site.yml
+++ b/site.yml
@@ -1,3 +1,4 @@
 - hosts: all
---- a dashed line
+++ a plus line
+  gather_facts: false
   tasks: []
\\ No newline at end of file
@@ -20 +21,2 @@
+x
 y
`;

it("numbers the lines of both sides", () => {
  const lines = unifiedLines(DIFF);
  expect(lines.map((line) => [line.kind, line.before, line.after, line.text])).toEqual([
    ["hunk", null, null, "@@ -1,3 +1,4 @@"],
    ["same", 1, 1, "- hosts: all"],
    ["removed", 2, null, "--- a dashed line"],
    ["added", null, 2, "++ a plus line"],
    ["added", null, 3, "  gather_facts: false"],
    ["same", 3, 4, "  tasks: []"],
    ["note", null, null, "No newline at end of file"],
    ["hunk", null, null, "@@ -20 +21,2 @@"],
    ["added", null, 21, "x"],
    ["same", 20, 22, "y"],
  ]);
  expect(countLines(lines)).toEqual({ added: 3, removed: 1 });
});

it("says when the mode changed", () => {
  expect(modeChange(0o644, 0o755)).toBe("0644 → 0755");
  expect(modeChange(0o644, 0o644)).toBeNull();
  expect(modeChange(null, 0o755)).toBeNull();
});
