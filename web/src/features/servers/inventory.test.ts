import { expect, it } from "vitest";

import type { ImportReport } from "@/api/types";
import { countReport, hasNews, readInventory, sortReport } from "./inventory";

const server = (hostname: string, action: ImportReport["servers"][number]["action"]) => ({
  hostname,
  action,
  changes: [],
  notes: [],
});

it("reads an object of JSON only", () => {
  expect(readInventory('{"_meta": {"hostvars": {}}}')).toEqual({ inventory: { _meta: { hostvars: {} } } });
  expect(readInventory(" ")).toHaveProperty("error");
  expect(readInventory("[web]\nweb1")).toHaveProperty("error");
  expect(readInventory("[1]")).toHaveProperty("error");
  expect(readInventory("null")).toHaveProperty("error");
});

it("puts first what needs a look, and counts", () => {
  const servers = [
    server("a", "unchanged"),
    server("b", "created"),
    server("c", "skipped"),
    server("d", "created"),
  ];
  expect(sortReport(servers).map((one) => one.hostname)).toEqual(["c", "b", "d", "a"]);
  expect(countReport(servers)).toBe("1 skipped, 2 created, 1 unchanged");
  expect(countReport([])).toBe("");
  expect(hasNews({ dry_run: true, servers, keys: [] })).toBe(true);
  expect(hasNews({ dry_run: true, servers: [server("a", "unchanged")], keys: [] })).toBe(false);
});
