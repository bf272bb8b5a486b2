export interface DiffLine {
  sign: "+" | "-" | " " | "@";
  text: string;
}

/** Above this many comparisons the texts are shown whole, one after the other. */
const MAX_CELLS = 4_000_000;
const CONTEXT = 3;

/** Ansible's diff entry → lines: either prepared by the module, or made from `before` and `after`. */
export function linesOfDiff(diff: unknown): DiffLine[] {
  if (typeof diff === "string") return preparedLines(diff);
  if (typeof diff !== "object" || diff === null) return [];
  const entry = diff as Record<string, unknown>;
  if (typeof entry.prepared === "string") return preparedLines(entry.prepared);
  const lines = compareLines(linesOf(entry.before), linesOf(entry.after));
  if (lines.length === 0) return [];
  const headers: DiffLine[] = [];
  if (typeof entry.before_header === "string")
    headers.push({ sign: "@", text: `before: ${entry.before_header}` });
  if (typeof entry.after_header === "string")
    headers.push({ sign: "@", text: `after: ${entry.after_header}` });
  return [...headers, ...lines];
}

function preparedLines(text: string): DiffLine[] {
  return linesOf(text).map((line) => {
    if (line.startsWith("@@") || line.startsWith("---") || line.startsWith("+++"))
      return { sign: "@", text: line };
    const first = line[0];
    return first === "+" || first === "-" ? { sign: first, text: line.slice(1) } : { sign: " ", text: line };
  });
}

function linesOf(value: unknown): string[] {
  if (value === undefined || value === null || value === "") return [];
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** The shortest way from one list of lines to the other, with a little context around each change. */
export function compareLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before[before.length - 1 - end] === after[after.length - 1 - end]
  )
    end += 1;
  const oldLines = before.slice(start, before.length - end);
  const newLines = after.slice(start, after.length - end);
  const same = (texts: readonly string[]): DiffLine[] => texts.map((text) => ({ sign: " ", text }));
  const middle =
    oldLines.length * newLines.length > MAX_CELLS
      ? [...signed("-", oldLines), ...signed("+", newLines)]
      : longestCommon(oldLines, newLines);
  return withContext([
    ...same(before.slice(0, start)),
    ...middle,
    ...same(before.slice(before.length - end)),
  ]);
}

function signed(sign: "+" | "-", texts: readonly string[]): DiffLine[] {
  return texts.map((text) => ({ sign, text }));
}

function longestCommon(a: readonly string[], b: readonly string[]): DiffLine[] {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  const at = (row: number, col: number) => table[row * width + col] ?? 0;
  for (let row = a.length - 1; row >= 0; row -= 1)
    for (let col = b.length - 1; col >= 0; col -= 1)
      table[row * width + col] =
        a[row] === b[col] ? at(row + 1, col + 1) + 1 : Math.max(at(row + 1, col), at(row, col + 1));
  const lines: DiffLine[] = [];
  let row = 0;
  let col = 0;
  while (row < a.length || col < b.length) {
    const left = a[row];
    const right = b[col];
    if (left !== undefined && left === right) {
      lines.push({ sign: " ", text: left });
      row += 1;
      col += 1;
    } else if (left !== undefined && (right === undefined || at(row + 1, col) >= at(row, col + 1))) {
      lines.push({ sign: "-", text: left });
      row += 1;
    } else {
      lines.push({ sign: "+", text: right ?? "" });
      col += 1;
    }
  }
  return lines;
}

function withContext(lines: readonly DiffLine[]): DiffLine[] {
  const near = new Set<number>();
  lines.forEach((line, index) => {
    if (line.sign !== " ") for (let by = -CONTEXT; by <= CONTEXT; by += 1) near.add(index + by);
  });
  const shown: DiffLine[] = [];
  let hidden = 0;
  lines.forEach((line, index) => {
    if (near.has(index)) {
      if (hidden > 0 && shown.length > 0) shown.push({ sign: "@", text: "…" });
      hidden = 0;
      shown.push(line);
    } else hidden += 1;
  });
  return shown;
}
