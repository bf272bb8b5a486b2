import { expect, it } from "vitest";

import { formatBytes, plural } from "./numbers";

it("counts things", () => {
  expect(plural(1, "server")).toBe("1 server");
  expect(plural(0, "server")).toBe("0 servers");
  expect(plural(1200, "server")).toBe("1,200 servers");
  expect(plural(2, "key is", "keys are")).toBe("2 keys are");
});

it("writes sizes", () => {
  expect(formatBytes(512)).toBe("512 B");
  expect(formatBytes(1536)).toBe("1.5 KiB");
  expect(formatBytes(3 * 1024 * 1024)).toBe("3.0 MiB");
});
