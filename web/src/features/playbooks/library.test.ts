import { describe, expect, it } from "vitest";

import type { Playbook } from "@/api/types";
import { groupPlaybooks, matches, successRate, whyNotLaunched } from "./library";

function playbook(id: string, changes: Partial<Playbook> = {}): Playbook {
  const origin = id.startsWith("custom") ? "custom" : id.startsWith("project") ? "project" : "built_in";
  return {
    id,
    origin,
    path: id.slice(id.indexOf("/") + 1),
    package_id: "p",
    package_name: "",
    entry_path: "site.yml",
    outline: { name: id },
    version: "v",
    version_number: 1,
    updated_at: null,
    missing_since: null,
    record: { ended: 0, completed: 0, latest: [] },
    ...changes,
  };
}

it("groups by origin, then by category, those without one first", () => {
  const groups = groupPlaybooks([
    playbook("builtin/ping.yml"),
    playbook("custom/a/site.yml", { outline: { name: "a", category: "Web" } }),
    playbook("custom/b/site.yml"),
    playbook("custom/c/site.yml", { outline: { name: "c", category: "Database" } }),
  ]);
  expect(groups.map((group) => [group.name, group.count])).toEqual([
    ["Custom", 3],
    ["Built-in", 1],
  ]);
  expect(groups[0]?.categories.map((category) => category.name)).toEqual(["", "Database", "Web"]);
});

describe("search", () => {
  const shop = playbook("custom/shop/site.yml", {
    outline: {
      name: "Bring up the shop",
      tags: ["Deploy"],
      roles: ["nginx"],
      hosts: ["web"],
      variables: ["shop_port"],
    },
  });
  it.each([
    ["shop", true],
    ["SHOP nginx", true],
    ["deploy", true],
    ["web shop_port", true],
    ["shop database", false],
  ])("%s", (search, found) => {
    expect(matches(shop, search)).toBe(found);
  });
});

it("never rounds up to all", () => {
  expect(successRate({ ended: 0, completed: 0, latest: [] })).toBeNull();
  expect(successRate({ ended: 1000, completed: 999, latest: [] })).toBe(99);
  expect(successRate({ ended: 2, completed: 2, latest: [] })).toBe(100);
});

it("says why a playbook cannot be launched", () => {
  expect(whyNotLaunched(playbook("builtin/ping.yml"))).toBeNull();
  expect(whyNotLaunched(playbook("a", { outline: { name: "a", error: "no YAML" } }))).toBe("no YAML");
  expect(whyNotLaunched(playbook("a", { missing_since: "2026-03-04T05:06:07Z" }))).toContain("gone");
});
