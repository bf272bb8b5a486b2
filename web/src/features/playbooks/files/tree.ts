import type { EditedFile } from "./edits";

export interface TreeRow {
  /** The folder's or the file's path. */
  path: string;
  name: string;
  depth: number;
  /** Undefined for a folder. */
  file?: EditedFile;
}

/** Files as rows of a tree, each folder before what it holds. `files` are in the tree's order. */
export function treeRows(files: readonly EditedFile[], folded: ReadonlySet<string>): TreeRow[] {
  const rows: TreeRow[] = [];
  const seen = new Set<string>();
  for (const file of files) {
    const parts = file.path.split("/");
    let hidden = false;
    for (let depth = 0; depth < parts.length - 1; depth += 1) {
      const path = parts.slice(0, depth + 1).join("/");
      if (!hidden && !seen.has(path)) {
        seen.add(path);
        rows.push({ path, name: parts[depth] ?? "", depth });
      }
      hidden ||= folded.has(path);
    }
    if (!hidden) rows.push({ path: file.path, name: parts.at(-1) ?? "", depth: parts.length - 1, file });
  }
  return rows;
}
