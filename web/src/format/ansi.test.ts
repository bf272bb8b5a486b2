import { describe, expect, it } from "vitest";

import { parseAnsiLine, PLAIN } from "./ansi";

describe("parseAnsiLine", () => {
  it("gives plain text as one span", () => {
    expect(parseAnsiLine("PLAY [all]")).toEqual({
      spans: [{ text: "PLAY [all]", style: PLAIN }],
      style: PLAIN,
    });
  });

  it("reads the colours Ansible writes", () => {
    const { spans, style } = parseAnsiLine("\u001b[0;32mok: [web1]\u001b[0m done");
    expect(spans).toEqual([
      { text: "ok: [web1]", style: { ...PLAIN, foreground: 2 } },
      { text: " done", style: PLAIN },
    ]);
    expect(style).toEqual(PLAIN);
  });

  it("carries the style into the next line", () => {
    const first = parseAnsiLine("\u001b[1;91mfatal: [web1]");
    expect(first.style).toEqual({ ...PLAIN, foreground: 9, bold: true });
    expect(parseAnsiLine("more", first.style).spans[0]?.style).toEqual(first.style);
  });

  it("maps 256 and true colours to the sixteen", () => {
    expect(parseAnsiLine("\u001b[38;5;196mx").style.foreground).toBe(9);
    expect(parseAnsiLine("\u001b[38;5;244mx").style.foreground).toBe(8);
    expect(parseAnsiLine("\u001b[48;2;0;0;0mx").style.background).toBe(0);
    expect(parseAnsiLine("\u001b[38;5;2;1mx").style).toEqual({ ...PLAIN, foreground: 2, bold: true });
  });

  it("drops cursor movement, titles, and control characters, and keeps tabs", () => {
    const { spans } = parseAnsiLine("\u001b]0;title\u0007a\u001b[2K\u001b[1Gb\r\u0000c\td");
    expect(spans.map((span) => span.text).join("")).toBe("abc\td");
  });

  it("leaves markup as text", () => {
    expect(parseAnsiLine("<script>alert(1)</script>").spans[0]?.text).toBe("<script>alert(1)</script>");
  });

  it("survives a sequence that is cut off", () => {
    expect(
      parseAnsiLine("a\u001b[")
        .spans.map((span) => span.text)
        .join(""),
    ).toBe("a");
    expect(
      parseAnsiLine("a\u001b")
        .spans.map((span) => span.text)
        .join(""),
    ).toBe("a");
  });
});
