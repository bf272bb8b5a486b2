import { describe, expect, it } from "vitest";

import { changesOf, formOf } from "./settingsForm";

const settings = { retention_days: 90, max_running_runs: null };

describe("the settings form", () => {
  it("shows what holds and changes nothing by itself", () => {
    expect(formOf(settings)).toEqual({ retentionDays: "90", maxRunningRuns: "" });
    expect(changesOf(formOf(settings), settings)).toEqual({});
  });

  it("sends only what was changed", () => {
    expect(changesOf({ retentionDays: " 30 ", maxRunningRuns: "" }, settings)).toEqual({
      retention_days: 30,
    });
    expect(changesOf({ retentionDays: "90", maxRunningRuns: "8" }, settings)).toEqual({
      max_running_runs: 8,
    });
    const limited = { ...settings, max_running_runs: 8 };
    expect(changesOf({ retentionDays: "90", maxRunningRuns: " " }, limited)).toEqual({
      max_running_runs: null,
    });
  });

  it("leaves it to the API to refuse what is no number", () => {
    expect(changesOf({ retentionDays: "soon", maxRunningRuns: "" }, settings)).toEqual({
      retention_days: "soon",
    });
  });
});
