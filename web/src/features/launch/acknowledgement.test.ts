import { expect, it } from "vitest";

import type { PackageVersion } from "@/api/types";
import { acknowledgement } from "./acknowledgement";

const preview = (id: string, needed: boolean) => ({
  version: { id } as PackageVersion,
  acknowledgement_needed: needed,
});

it("accepts the version that was read, and no other one", () => {
  expect(acknowledgement(preview("v1", true), null)).toBeNull();
  expect(acknowledgement(preview("v1", true), "v1")).toEqual({ acknowledge: true, version_id: "v1" });
  expect(acknowledgement(preview("v2", true), "v1")).toBeNull();
});

it("accepts nothing where nothing is asked", () => {
  expect(acknowledgement(preview("v2", false), "v1")).toEqual({});
  expect(acknowledgement(undefined, "v1")).toEqual({});
});
