import { expect, it } from "vitest";

import { safeNext } from "./safeNext";

it.each([
  [undefined, "/deployments"],
  ["/servers?tag=web#x", "/servers?tag=web#x"],
  ["//evil.example/x", "/deployments"],
  ["/\\evil.example", "/deployments"],
  ["https://evil.example", "/deployments"],
  ["javascript:alert(1)", "/deployments"],
  ["/sign-in?next=/x", "/deployments"],
])("goes from %s to %s", (next, target) => {
  expect(safeNext(next)).toBe(target);
});
