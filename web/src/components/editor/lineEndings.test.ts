import { Text } from "@codemirror/state";
import { expect, it } from "vitest";

import { lineEnding } from "./lineEndings";

it.each([
  ["", "\n"],
  ["a", "\n"],
  ["a\nb\n", "\n"],
  ["a\r\nb\r\n", "\r\n"],
  ["a\r\n", "\r\n"],
  ["a\r\nb\n", null],
  ["\na\r\n", null],
  ["a\rb", null],
  ["a\r\r\n", null],
])("%j ends its lines with %j", (text, ending) => {
  expect(lineEnding(text)).toBe(ending);
});

it("gives back an edited text with its own line endings", () => {
  const text = "a\r\nb\r\n";
  const doc = Text.of(text.split(/\r\n?|\n/)).replace(0, 1, Text.of(["x", "y"]));
  expect(doc.sliceString(0, undefined, lineEnding(text) ?? undefined)).toBe("x\r\ny\r\nb\r\n");
});
