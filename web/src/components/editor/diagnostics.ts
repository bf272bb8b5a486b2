/** A remark about a place in a text; lines and columns count from 1. */
export interface Remark {
  line: number | null;
  column: number | null;
  severity: "error" | "warning" | "note";
  message: string;
}

export interface Span {
  from: number;
  to: number;
}

/** The lines of a text, as an editor knows them. */
export interface Lines {
  lines: number;
  line: (number: number) => { from: number; to: number; text: string };
}

/**
 * What to underline: from the column to the end of the line; the whole line but its indentation where no column is given;
 * the first line where no line is given, or one that has been deleted since.
 */
export function spanOf(remark: Pick<Remark, "line" | "column">, lines: Lines): Span {
  const wanted = remark.line ?? 1;
  const line = lines.line(Math.min(Math.max(wanted, 1), lines.lines));
  const indentation = line.text.length - line.text.trimStart().length;
  const into = remark.line !== null && remark.column !== null ? remark.column - 1 : indentation;
  const from = Math.min(line.from + into, line.to);
  // An empty place cannot be underlined: the character before the end of the line is.
  return from < line.to ? { from, to: line.to } : { from: Math.max(line.from, line.to - 1), to: line.to };
}
