export interface UnifiedLine {
  kind: "same" | "added" | "removed" | "hunk" | "note";
  text: string;
  /** Line numbers from 1; null on the side that has no such line. */
  before: number | null;
  after: number | null;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** The lines of one file's unified diff, numbered. Headers that name the file are left out. */
export function unifiedLines(diff: string): UnifiedLine[] {
  const texts = diff.split("\n");
  if (texts.at(-1) === "") texts.pop();
  const lines: UnifiedLine[] = [];
  let before = 0;
  let after = 0;
  let inHunk = false;
  for (const text of texts) {
    const hunk = HUNK.exec(text);
    if (hunk !== null) {
      before = Number(hunk[1]);
      after = Number(hunk[2]);
      inHunk = true;
      lines.push({ kind: "hunk", text, before: null, after: null });
    } else if (!inHunk) {
      continue;
    } else if (text.startsWith("+")) {
      lines.push({ kind: "added", text: text.slice(1), before: null, after });
      after += 1;
    } else if (text.startsWith("-")) {
      lines.push({ kind: "removed", text: text.slice(1), before, after: null });
      before += 1;
    } else if (text.startsWith("\\")) {
      lines.push({ kind: "note", text: text.slice(1).trim(), before: null, after: null });
    } else {
      lines.push({ kind: "same", text: text.slice(1), before, after });
      before += 1;
      after += 1;
    }
  }
  return lines;
}

export function countLines(lines: readonly UnifiedLine[]): { added: number; removed: number } {
  return {
    added: lines.filter((line) => line.kind === "added").length,
    removed: lines.filter((line) => line.kind === "removed").length,
  };
}

/** `0644 → 0755`; null when it stays. */
export function modeChange(old: number | null, now: number | null): string | null {
  if (old === null || now === null || old === now) return null;
  const octal = (mode: number) => mode.toString(8).padStart(4, "0");
  return `${octal(old)} → ${octal(now)}`;
}
