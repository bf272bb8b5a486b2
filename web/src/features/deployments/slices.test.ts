import { expect, it } from "vitest";

import { deploymentFixture, rowFixture } from "@/api/fixtures.test-data";
import { findRow, sliceCount } from "./slices";

it("counts no more slices than hosts", () => {
  const { counts } = deploymentFixture({});
  const of = (slices: number, total: number) =>
    sliceCount({ options: { slices }, counts: { ...counts, total } });
  expect(of(4, 10)).toBe(4);
  expect(of(4, 2)).toBe(2);
  expect(of(4, 0)).toBe(1);
  expect(sliceCount({ options: {}, counts: { ...counts, total: 9 } })).toBe(1);
});

it("finds the row that a link means", () => {
  const rows = [
    rowFixture({ host: "localhost", slice: 1 }),
    rowFixture({ host: "localhost", slice: 0 }),
    rowFixture({ host: "web1", slice: 1 }),
  ];
  expect(findRow(rows, "localhost", 1)).toBe(rows[0]);
  expect(findRow(rows, "localhost", undefined)).toBe(rows[1]);
  expect(findRow(rows, "web1", undefined)).toBe(rows[2]);
  expect(findRow(rows, "web1", 0)).toBeUndefined();
});
