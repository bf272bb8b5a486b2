import { expect, it } from "vitest";

import { deploymentFixture } from "./fixtures.test-data";
import { mergeDeployments } from "./mergeDeployments";

const KNOWN = deploymentFixture({ id: "a", number: 5, status: "running", event_position: 2 });
const PAGE = { data: [KNOWN], meta: { current_page: 1, per_page: 1, total: 9, last_page: 9 } };

it("replaces a known deployment in place", () => {
  const changed = deploymentFixture({ id: "a", number: 5, status: "running", event_position: 3 });
  expect(mergeDeployments(PAGE, [changed])).toEqual({
    page: { ...PAGE, data: [changed] },
    listChanged: false,
  });
});

it("asks for a new read when a status changed or a newer deployment appeared", () => {
  const done = deploymentFixture({ id: "a", number: 5, status: "completed", event_position: 3 });
  expect(mergeDeployments(PAGE, [done]).listChanged).toBe(true);
  expect(mergeDeployments(PAGE, [deploymentFixture({ id: "b", number: 6 })]).listChanged).toBe(true);
});

it("passes over deployments of other pages and stale news", () => {
  expect(mergeDeployments(PAGE, [deploymentFixture({ id: "c", number: 1 })]).listChanged).toBe(false);
  const stale = deploymentFixture({ id: "a", number: 5, event_position: 1 });
  expect(mergeDeployments(PAGE, [stale]).page.data[0]).toBe(KNOWN);
});
