import { expect, it } from "vitest";

import { elapsed, formatDuration, formatRelative, formatUtc } from "./time";

it.each([
  [-5, "0.0s"],
  [420, "0.4s"],
  [9_949, "9.9s"],
  [12_300, "12s"],
  [59_700, "1m 00s"],
  [185_000, "3m 05s"],
  [7_620_000, "2h 07m"],
  [100_800_000, "1d 04h"],
])("formats %i ms as %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

const NOW = Date.parse("2026-03-04T12:00:00Z");

it.each([
  ["2026-03-04T11:59:50Z", "just now"],
  ["2026-03-04T11:55:00Z", "5 min ago"],
  ["2026-03-04T09:00:00Z", "3 h ago"],
  ["2026-03-03T12:00:00Z", "1 day ago"],
  ["2026-03-06T12:00:00Z", "in 2 days"],
  ["2026-02-01T12:00:00Z", null],
])("tells %s relative to now", (time, text) => {
  expect(formatRelative(time, NOW)).toBe(text);
});

it("measures to now while something runs", () => {
  expect(elapsed(null, null, NOW)).toBeNull();
  expect(elapsed("2026-03-04T11:59:00Z", null, NOW)).toBe(60_000);
  expect(elapsed("2026-03-04T11:59:00Z", "2026-03-04T11:59:30Z", NOW)).toBe(30_000);
});

it("writes UTC", () => {
  expect(formatUtc("2026-03-04T05:06:07.123456Z")).toBe("2026-03-04 05:06:07 UTC");
});
