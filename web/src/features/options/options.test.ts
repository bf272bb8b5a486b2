import { expect, it } from "vitest";

import { changedOptions, checkOptions, formOfOptions, optionsOfForm } from "./options";

it("sends options only when they differ, whatever was left out", () => {
  const before = { forks: 5, tags: ["setup", "config"] };
  expect(changedOptions(formOfOptions(before), before)).toBeUndefined();
  expect(changedOptions(formOfOptions({}), {})).toBeUndefined();
  const changed = changedOptions({ ...formOfOptions(before), check: true, tags: "" }, before);
  expect(changed).toMatchObject({ forks: 5, check: true });
  expect(changed?.tags).toBeUndefined();
});

it("gives back what it took", () => {
  const options = {
    forks: 5,
    timeout_seconds: 60,
    verbosity: 2,
    check: true,
    diff: false,
    become: true,
    slices: 4,
    allow_overlap: true,
    priority: -3,
    accelerator: "mitogen" as const,
    limit: "web*",
    start_at_task: "Copy",
    tags: ["setup", "config"],
    skip_tags: ["a b", "c"],
  };
  expect(optionsOfForm(formOfOptions(options))).toEqual(options);
});

it("says what is wrong with how it is carried out", () => {
  const fields = (changes: Partial<ReturnType<typeof formOfOptions>>) =>
    checkOptions({ ...formOfOptions({}), ...changes }).map((error) => error.field);
  expect(fields({ slices: "100", priority: "-100" })).toEqual([]);
  expect(fields({ slices: "0" })).toEqual(["options.slices"]);
  expect(fields({ slices: "101", priority: "101" })).toEqual(["options.slices", "options.priority"]);
  expect(fields({ slices: "2", limit: "web*" })).toEqual(["options.slices"]);
  expect(fields({ priority: "1.5" })).toEqual(["options.priority"]);
});
