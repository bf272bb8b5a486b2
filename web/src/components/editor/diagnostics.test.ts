import { expect, it } from "vitest";

import { spanOf, type Lines } from "./diagnostics";

function linesOf(text: string): Lines {
  const texts = text.split("\n");
  const starts = texts.map((_, index) =>
    texts.slice(0, index).reduce((sum, line) => sum + line.length + 1, 0),
  );
  return {
    lines: texts.length,
    line: (number) => {
      const text = texts[number - 1] ?? "";
      const from = starts[number - 1] ?? 0;
      return { from, to: from + text.length, text };
    },
  };
}

it.each([
  [2, null, 7, 14],
  [2, 4, 8, 14],
  [1, 1, 0, 4],
  // Past the end of the line, and past the end of the text.
  [2, 99, 13, 14],
  [99, null, 16, 17],
  [null, 5, 0, 4],
])("line %s, column %s", (line, column, from, to) => {
  const lines = linesOf("abcd\n  nothing\n\nx");
  expect(spanOf({ line, column }, lines)).toEqual({ from, to });
});
