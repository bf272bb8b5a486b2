import { parseAnsiLine, PLAIN, type AnsiSpan, type AnsiStyle } from "@/format/ansi";

export interface LogLine {
  readonly text: string;
  readonly spans: readonly AnsiSpan[];
}

/** A log as far as it was read. Chunks of output may end anywhere, also in the middle of a line. */
export interface LogState {
  readonly lines: readonly LogLine[];
  /** The last line while its end has not come, raw. */
  readonly open: string;
  /** The style `open` starts in. */
  readonly style: AnsiStyle;
}

export const EMPTY_LOG: LogState = { lines: [], open: "", style: PLAIN };

export function appendOutput(log: LogState, text: string): LogState {
  if (text === "") return log;
  const parts = (log.open + text).split("\n");
  const open = parts.pop() ?? "";
  if (parts.length === 0) return { ...log, open };
  let style = log.style;
  const fresh = parts.map((part) => {
    const parsed = parseAnsiLine(part, style);
    style = parsed.style;
    return lineOf(parsed.spans);
  });
  return { lines: log.lines.concat(fresh), open, style };
}

/** The lines to show: the finished ones, and the open one when it has text. */
export function shownLines(log: LogState): readonly LogLine[] {
  if (log.open === "") return log.lines;
  const { spans } = parseAnsiLine(log.open, log.style);
  return spans.length === 0 ? log.lines : [...log.lines, lineOf(spans)];
}

/** The indexes of the lines that contain `text`, whatever its case. */
export function findInLog(lines: readonly LogLine[], text: string): number[] {
  const wanted = text.toLowerCase();
  if (wanted === "") return [];
  const found: number[] = [];
  lines.forEach((line, index) => {
    if (line.text.toLowerCase().includes(wanted)) found.push(index);
  });
  return found;
}

/** `L120` → 119; `null` for any other fragment. */
export function lineOfHash(hash: string): number | null {
  const match = /^L([1-9]\d{0,8})$/.exec(hash);
  return match === null ? null : Number(match[1]) - 1;
}

function lineOf(spans: readonly AnsiSpan[]): LogLine {
  return { text: spans.map((span) => span.text).join(""), spans };
}
