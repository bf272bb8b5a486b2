import { expect, it } from "vitest";

import { treeRows } from "./tree";

const FILES = ["site.yml", "roles/db/tasks/main.yml", "roles/web/tasks/main.yml"].map((path) => ({
  path,
  state: "same" as const,
}));

it("names every folder once", () => {
  const rows = treeRows(FILES, new Set());
  expect(rows.map((row) => [row.depth, row.path])).toEqual([
    [0, "site.yml"],
    [0, "roles"],
    [1, "roles/db"],
    [2, "roles/db/tasks"],
    [3, "roles/db/tasks/main.yml"],
    [1, "roles/web"],
    [2, "roles/web/tasks"],
    [3, "roles/web/tasks/main.yml"],
  ]);
});

it("hides what is in a folded folder", () => {
  expect(treeRows(FILES, new Set(["roles/db", "roles/web/tasks"])).map((row) => row.path)).toEqual([
    "site.yml",
    "roles",
    "roles/db",
    "roles/web",
    "roles/web/tasks",
  ]);
});
