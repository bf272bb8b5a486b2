import { describe, expect, it } from "vitest";

import { applyMessage, decodeMessage, EMPTY_DEPLOYMENT_STATE } from "./stream";
import { deploymentFixture, rowFixture } from "./fixtures.test-data";

describe("applyMessage", () => {
  it("replaces the deployment", () => {
    const first = deploymentFixture({ status: "running", event_position: 4 });
    const second = deploymentFixture({ status: "completed", event_position: 9 });
    let state = applyMessage(EMPTY_DEPLOYMENT_STATE, { type: "deployment", deployment: first });
    state = applyMessage(state, { type: "deployment", deployment: second });
    expect(state.deployment).toBe(second);
  });

  it("does not go back to an older deployment, nor from ended to running", () => {
    const ended = deploymentFixture({ status: "completed", event_position: 9 });
    const state = applyMessage(EMPTY_DEPLOYMENT_STATE, { type: "deployment", deployment: ended });
    const older = deploymentFixture({ status: "running", event_position: 4 });
    const same = deploymentFixture({ status: "running", event_position: 9 });
    expect(applyMessage(state, { type: "deployment", deployment: older })).toBe(state);
    expect(applyMessage(state, { type: "deployment", deployment: same })).toBe(state);
  });

  it("keys rows by host and keeps the newer", () => {
    const one = rowFixture({ host: "web1", position: 3, status: "running" });
    const two = rowFixture({ host: "web2", position: 4, status: "running" });
    const done = rowFixture({ host: "web1", position: 6, status: "success" });
    let state = applyMessage(EMPTY_DEPLOYMENT_STATE, { type: "servers", rows: [one, two] });
    state = applyMessage(state, { type: "servers", rows: [done] });
    expect([...state.rows.values()]).toEqual([done, two]);
    expect(applyMessage(state, { type: "servers", rows: [one] })).toBe(state);
  });

  it("keeps hosts of the same name in two slices apart", () => {
    const first = rowFixture({ host: "localhost", slice: 0, position: 3, status: "failed" });
    const second = rowFixture({ host: "localhost", slice: 1, position: 4, status: "running" });
    const done = rowFixture({ host: "localhost", slice: 1, position: 6, status: "success" });
    let state = applyMessage(EMPTY_DEPLOYMENT_STATE, { type: "servers", rows: [first, second] });
    state = applyMessage(state, { type: "servers", rows: [done] });
    expect([...state.rows.values()]).toEqual([first, done]);
  });

  it("gives the same state when a message is repeated", () => {
    const rows = [rowFixture({ host: "web1", position: 3 })];
    const once = applyMessage(EMPTY_DEPLOYMENT_STATE, { type: "servers", rows });
    expect(applyMessage(once, { type: "servers", rows })).toEqual(once);
  });

  it("ends", () => {
    const state = applyMessage(EMPTY_DEPLOYMENT_STATE, { type: "end" });
    expect(state.ended).toBe(true);
    expect(applyMessage(state, { type: "end" })).toBe(state);
  });
});

describe("decodeMessage", () => {
  it("decodes known kinds and passes over others", () => {
    expect(decodeMessage("end", "{}")).toEqual({ type: "end" });
    expect(decodeMessage("servers", '{"rows":[]}')).toEqual({ type: "servers", rows: [] });
    expect(decodeMessage("weather", "{}")).toBeNull();
  });
});
