import { expect, it } from "vitest";

import { optionsInWords } from "./optionsInWords";

it("names what differs", () => {
  expect(optionsInWords({})).toBe("the usual");
  expect(optionsInWords({ forks: 50, check: false, slices: 1, limit: "" })).toBe("the usual");
  expect(optionsInWords({ forks: 5, check: true, tags: ["a", "b"], slices: 3 })).toBe(
    "check mode, 5 forks, only tags a, b, 3 slices",
  );
});
