import { describe, expect, it } from "vitest";

import { readValue, variableError, writeValue } from "./variableRows";

describe("values", () => {
  it.each([
    ["3", 3],
    [" 3 ", 3],
    ["-1.5", -1.5],
    ["true", true],
    ['["a"]', ["a"]],
    ['"3"', "3"],
    ["1.2.3", "1.2.3"],
    ["hello", "hello"],
    ["", ""],
    // Numbers that would change by being read.
    ["1.10", "1.10"],
    ["1.0", "1.0"],
    ["123456789012345678", "123456789012345678"],
    ["1e400", "1e400"],
    ["-0", "-0"],
  ])("reads %s", (text, value) => {
    expect(readValue(text)).toEqual(value);
    expect(readValue(writeValue(value))).toEqual(value);
  });
});

it("puts the API's words at the variable they are about", () => {
  const errors = [{ field: "variables.port", message: "is reserved" }];
  const row = { key: 0, name: "port", value: "1" };
  expect(variableError(errors, { ...row, secret: false })).toBe("is reserved");
  expect(variableError(errors, { ...row, secret: true })).toBeUndefined();
});
