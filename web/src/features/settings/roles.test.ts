import { expect, test } from "vitest";

import { rolesWithin } from "./roles";

test("a token can have a lower role than its maker, but not a higher one", () => {
  expect(rolesWithin("admin")).toEqual(["admin", "operator", "viewer", "auditor"]);
  expect(rolesWithin("operator")).toEqual(["operator", "viewer"]);
  expect(rolesWithin("auditor")).toEqual(["auditor", "viewer"]);
  expect(rolesWithin("viewer")).toEqual(["viewer"]);
});
