import { expect, it } from "vitest";

import { messageAbout } from "./client";

it("finds what was said about a field, or about something inside it", () => {
  const errors = [
    { field: "tags[1]", message: "must not hold a comma" },
    { field: "metadata.ports[0]", message: "must be a number" },
    { field: "hostname", message: "is taken" },
  ];
  expect(messageAbout(errors, "hostname")).toBe("is taken");
  expect(messageAbout(errors, "tags")).toBe("Entry 2 must not hold a comma");
  expect(messageAbout(errors, "metadata")).toBe("ports[0] must be a number");
  expect(messageAbout(errors, "host")).toBeUndefined();
});
