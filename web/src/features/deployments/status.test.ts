import { expect, it } from "vitest";

import { deploymentTitle, reasonInWords, retryableHosts } from "./status";

const COUNTS = {
  total: 1200,
  pending: 0,
  running: 0,
  success: 1196,
  failed: 3,
  unreachable: 1,
  skipped: 0,
  cancelled: 0,
  changed: 5,
};

it("says the reason in words", () => {
  expect(reasonInWords({ reason: null, counts: COUNTS })).toBeNull();
  expect(reasonInWords({ reason: "hosts_failed", counts: COUNTS })).toBe(
    "3 of 1,200 hosts failed, 1 unreachable",
  );
  expect(reasonInWords({ reason: "hosts_unreachable", counts: COUNTS })).toBe("1 of 1,200 hosts unreachable");
  expect(reasonInWords({ reason: "timed_out", counts: COUNTS })).toBe("ran longer than its timeout");
});

it("counts what a retry would take", () => {
  expect(retryableHosts(COUNTS)).toBe(4);
  expect(retryableHosts({ ...COUNTS, failed: 0, unreachable: 0, pending: 7, cancelled: 2 })).toBe(9);
});

it("puts progress in the title while running", () => {
  const deployment = {
    number: 7,
    name: "Ping",
    status: "running" as const,
    counts: { ...COUNTS, running: 600 },
  };
  expect(deploymentTitle(deployment)).toBe("running 50% · #7 Ping");
  expect(deploymentTitle({ ...deployment, status: "failed" })).toBe("failed · #7 Ping");
});
