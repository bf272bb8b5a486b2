import { describe, expect, it } from "vitest";

import {
  add,
  changesOf,
  comparePaths,
  editedFiles,
  isDirty,
  rebase,
  refusePath,
  remove,
  rename,
  write,
  type Edits,
} from "./edits";

const NONE: Edits = { base: "v1", changes: {} };
const file = (path: string, mode = 0o644) => ({ path, mode, size: 1, digest: "d" });
const FILES = [file("site.yml"), file("roles/web/tasks/main.yml"), file("run.sh", 0o755)];

it("knows that typing back is no change", () => {
  const typed = write(NONE, "site.yml", "b", "a");
  expect(isDirty(typed)).toBe(true);
  expect(changesOf(typed)).toEqual([{ path: "site.yml", content: "b" }]);
  expect(isDirty(write(typed, "site.yml", "a", "a"))).toBe(false);
});

it("adds, and takes away without a trace what was only added", () => {
  const added = add(NONE, "new.yml");
  expect(changesOf(added)).toEqual([{ path: "new.yml", content: "" }]);
  expect(isDirty(remove(added, "new.yml", false))).toBe(false);
  expect(changesOf(remove(NONE, "site.yml", true))).toEqual([{ path: "site.yml", content: null }]);
});

it("renames with text and mode", () => {
  const renamed = rename(NONE, "run.sh", "bin/run.sh", "text", FILES[2]);
  expect(changesOf(renamed)).toEqual([
    { path: "run.sh", content: null },
    { path: "bin/run.sh", content: "text", mode: 0o755 },
  ]);
  expect(changesOf(rename(add(NONE, "a"), "a", "b", ""))).toEqual([{ path: "b", content: "" }]);
});

it("lists what is there and what became of it", () => {
  const edits = remove(write(add(NONE, "a.yml"), "site.yml", "x", "y"), "run.sh", true);
  expect(editedFiles(FILES, edits)).toEqual([
    { path: "a.yml", state: "added" },
    { path: "run.sh", state: "deleted" },
    { path: "site.yml", state: "changed" },
    { path: "roles/web/tasks/main.yml", state: "same" },
  ]);
});

it("goes onto a newer version without taking away twice", () => {
  const edits = remove(write(NONE, "site.yml", "x", "y"), "run.sh", true);
  expect(rebase(edits, "v2", [file("site.yml")])).toEqual({
    base: "v2",
    changes: { "site.yml": { content: "x" } },
  });
  expect(rebase(edits, "v2", FILES).changes["run.sh"]).toEqual({ content: null });
});

describe("paths", () => {
  it.each(["", "/etc/x", "a\\b", "../x", "a//b", "a/", "site.yml", "roles", "site.yml/x"])(
    "refuses %s",
    (path) => {
      expect(refusePath(path, ["site.yml", "roles/web/tasks/main.yml"])).not.toBeNull();
    },
  );
  it("takes others", () => {
    expect(refusePath("roles/web/handlers/main.yml", ["site.yml"])).toBeNull();
    expect(refusePath("site.yml.j2", ["site.yml"])).toBeNull();
  });
  it("puts the files of a folder before its folders", () => {
    const paths = ["b/c", "b/a/x", "z", "a", "b/b"];
    expect(paths.sort(comparePaths)).toEqual(["a", "z", "b/b", "b/c", "b/a/x"]);
  });
});
