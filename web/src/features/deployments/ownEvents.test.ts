import { expect, it } from "vitest";

import { OWN_EVENTS } from "@/api/ownEvents";
import { ownEventInWords } from "./ownEvents";

it.each([
  ["deployment_waiting", { for: [12, 13] }, "Waits for #12, #13, at work on the same servers."],
  ["deployment_waiting", { for: [] }, "The servers are free; waits for a worker."],
  ["run_started", { slice: 0 }, "Slice 1 began."],
  [
    "run_finished",
    { slice: 1, status: "failed", message: "1 of 2 hosts failed" },
    "Slice 2 ended: failed, 1 of 2 hosts failed.",
  ],
  ["cancel_requested", { by: "ada", force: true }, "ada asked to cancel, at once."],
  [
    "deployment_finished",
    { status: "completed", reason: null, message: null },
    "The deployment ended: completed.",
  ],
])("puts %s into words", (kind, payload, words) => {
  expect(ownEventInWords({ kind, payload })).toBe(words);
});

it("has words for every kind, and none for Ansible's", () => {
  for (const kind of OWN_EVENTS) expect(ownEventInWords({ kind, payload: {} })).not.toBeNull();
  expect(ownEventInWords({ kind: "runner_on_ok", payload: {} })).toBeNull();
});
