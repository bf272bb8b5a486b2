import { expect, it } from "vitest";

import { appendOutput, EMPTY_LOG, findInLog, lineOfHash, shownLines } from "./logLines";

const OUTPUT = "PLAY [all] ***\n\n\u001b[0;32mok: [web1]\nstill green\u001b[0m\r\nlast, no end";
const texts = (output: string[]) =>
  shownLines(output.reduce(appendOutput, EMPTY_LOG)).map((line) => line.text);

it("splits into lines and shows the open one", () => {
  expect(texts([OUTPUT])).toEqual(["PLAY [all] ***", "", "ok: [web1]", "still green", "last, no end"]);
  expect(texts(["a\n"])).toEqual(["a"]);
});

it("gives the same lines however the output was cut", () => {
  for (let cut = 0; cut <= OUTPUT.length; cut += 1) {
    const whole = shownLines(appendOutput(EMPTY_LOG, OUTPUT));
    const parts = [OUTPUT.slice(0, cut), OUTPUT.slice(cut)].reduce(appendOutput, EMPTY_LOG);
    expect(shownLines(parts)).toEqual(whole);
  }
});

it("carries colours over line ends", () => {
  const lines = shownLines(appendOutput(EMPTY_LOG, OUTPUT));
  expect(lines[3]?.spans[0]?.style.foreground).toBe(2);
  expect(lines[4]?.spans[0]?.style.foreground).toBeNull();
});

it("finds text whatever its case", () => {
  const lines = shownLines(appendOutput(EMPTY_LOG, OUTPUT));
  expect(findInLog(lines, "WEB1")).toEqual([2]);
  expect(findInLog(lines, "")).toEqual([]);
});

it("reads line permalinks", () => {
  expect(lineOfHash("L120")).toBe(119);
  expect(lineOfHash("L0")).toBeNull();
  expect(lineOfHash("top")).toBeNull();
});
