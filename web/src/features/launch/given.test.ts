import { expect, it } from "vitest";

import { withEntry } from "./given";

it("puts an entry in, and takes it away", () => {
  expect(withEntry({ a: 1 }, "b", 2)).toEqual({ a: 1, b: 2 });
  expect(withEntry({ a: 1, b: 2 }, "a", 3)).toEqual({ a: 3, b: 2 });
  expect(withEntry({ a: 1, b: 2 }, "a", undefined)).toEqual({ b: 2 });
});
