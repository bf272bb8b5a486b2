import { expect, it } from "vitest";

import { droppedFile } from "./droppedFile";

const dropped = (...names: string[]) =>
  ({
    items: names.map((name) => ({ webkitGetAsEntry: () => ({ isDirectory: name.endsWith("/") }) })),
    files: names.map((name) => ({ name })),
  }) as unknown as DataTransfer;

it("takes one file, and no folder", () => {
  expect(droppedFile(dropped("site.yml"))).toEqual({ name: "site.yml" });
  expect(droppedFile(dropped("shop/"))).toMatch(/folder/);
  expect(droppedFile(dropped("a.yml", "b.yml"))).toMatch(/one file/);
  expect(droppedFile(dropped())).toMatch(/No file/);
});
