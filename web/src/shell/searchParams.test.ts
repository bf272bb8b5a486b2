import { expect, it } from "vitest";

import {
  choiceParameter,
  countParameter,
  listParameter,
  pageParameter,
  parseSearch,
  stringifySearch,
  textParameter,
} from "./searchParams";

it("reads and writes addresses", () => {
  expect(parseSearch("?tag=web&tag=db&search=a+b")).toEqual({ tag: ["web", "db"], search: "a b" });
  expect(stringifySearch({ tag: ["web", "db"], page: 2, search: undefined, failed: false, name: "" })).toBe(
    "?tag=web&tag=db&page=2",
  );
  expect(stringifySearch({})).toBe("");
});

it("keeps numbers as the text they are", () => {
  expect(textParameter(parseSearch("?host=0042").host)).toBe("0042");
});

it("turns raw values into types", () => {
  expect(listParameter("web")).toEqual(["web"]);
  expect(listParameter(undefined)).toBeUndefined();
  expect(pageParameter("3")).toBe(3);
  expect(pageParameter("1")).toBeUndefined();
  expect(pageParameter("-2")).toBeUndefined();
  expect(countParameter(parseSearch("?of=0").of)).toBe(0);
  expect(countParameter("12")).toBe(12);
  expect(countParameter("-1")).toBeUndefined();
  expect(countParameter("1.5")).toBeUndefined();
  expect(countParameter(undefined)).toBeUndefined();
  expect(choiceParameter("failed", ["failed", "running"])).toBe("failed");
  expect(choiceParameter("odd", ["failed", "running"])).toBeUndefined();
});
