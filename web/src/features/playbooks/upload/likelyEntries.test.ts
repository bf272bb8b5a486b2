import { expect, it } from "vitest";

import { likelyEntries } from "./likelyEntries";

it("chooses what the package has, or the only one", () => {
  expect(likelyEntries(["a.yml", "b.yml", "c.yml"], ["c.yml", "a.yml", "gone.yml"])).toEqual([
    "a.yml",
    "c.yml",
  ]);
  expect(likelyEntries(["a.yml"], [])).toEqual(["a.yml"]);
  expect(likelyEntries(["new.yml"], ["old.yml"])).toEqual(["new.yml"]);
  expect(likelyEntries(["a.yml", "b.yml"], [])).toEqual([]);
});
