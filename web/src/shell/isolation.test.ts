import { expect, test } from "vitest";

import type { Worker } from "@/api/types";
import { workersWithout } from "./isolation";

const worker = (
  name: string,
  isolation: Worker["isolation"],
  status: Worker["status"] = "active",
): Worker => ({
  id: name,
  name,
  status,
  roles: ["worker"],
  runs: 0,
  max_runs: 4,
  isolation,
  started_at: "2026-01-01T00:00:00Z",
  heartbeat_at: "2026-01-01T00:00:00Z",
  heartbeat_age_seconds: 0,
  draining_since: null,
});

test("workers that do not isolate runs are named once, and those that are gone are not", () => {
  const workers = [
    worker("a", "strict"),
    worker("b", "unavailable"),
    worker("b", "unavailable"),
    worker("c", "none"),
    worker("d", "none", "silent"),
  ];
  expect(workersWithout(workers)).toEqual({ unable: ["b"], off: ["c"] });
  expect(workersWithout([])).toEqual({ unable: [], off: [] });
});
