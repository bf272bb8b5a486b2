import type { ChangedFile, PackageFile } from "@/api/types";

/** What is to become of one file: its text, or null when it is taken away. */
export interface Change {
  content: string | null;
  mode?: number;
}

/** Unsaved work on the files of a package. */
export interface Edits {
  /** The version that it began with. */
  base: string;
  changes: Readonly<Record<string, Change>>;
}

export type FileState = "same" | "added" | "changed" | "deleted";

export interface EditedFile {
  path: string;
  state: FileState;
}

const OWNER_EXECUTES = 0o100;

export function isDirty(edits: Edits): boolean {
  return Object.keys(edits.changes).length > 0;
}

/** Puts a text into a file; the text that the file has in the base is no change. */
export function write(edits: Edits, path: string, content: string, inBase: string | undefined): Edits {
  return content === inBase ? without(edits, path) : change(edits, path, { ...edits.changes[path], content });
}

export function add(edits: Edits, path: string): Edits {
  return change(edits, path, { content: "" });
}

/** Takes a file away; one that is not in the base leaves nothing behind. */
export function remove(edits: Edits, path: string, isInBase: boolean): Edits {
  return isInBase ? change(edits, path, { content: null }) : without(edits, path);
}

/** Moves a file with the text that it has now. */
export function rename(edits: Edits, from: string, to: string, content: string, old?: PackageFile): Edits {
  const mode = edits.changes[from]?.mode ?? old?.mode;
  const left = remove(edits, from, old !== undefined);
  return change(left, to, { content, ...(mode !== undefined && { mode }) });
}

/** Undoes what was done to one file. */
export function without(edits: Edits, path: string): Edits {
  return {
    ...edits,
    changes: Object.fromEntries(Object.entries(edits.changes).filter(([other]) => other !== path)),
  };
}

/** The files as they are after the edits, by path; deleted ones are among them. */
export function editedFiles(files: readonly PackageFile[], edits: Edits): EditedFile[] {
  const inBase = new Set(files.map((file) => file.path));
  const stateOf = (path: string): FileState => {
    const made = edits.changes[path];
    if (made === undefined) return "same";
    if (made.content === null) return "deleted";
    return inBase.has(path) ? "changed" : "added";
  };
  return [...new Set([...inBase, ...Object.keys(edits.changes)])]
    .sort(comparePaths)
    .map((path) => ({ path, state: stateOf(path) }));
}

/** The edits as the API takes them. */
export function changesOf(edits: Edits): ChangedFile[] {
  return Object.entries(edits.changes).map(([path, { content, mode }]) => ({
    path,
    content,
    ...(mode !== undefined && { mode }),
  }));
}

/** Puts the edits onto another version: what that one has taken away need not be taken away again. */
export function rebase(edits: Edits, version: string, files: readonly PackageFile[]): Edits {
  const there = new Set(files.map((file) => file.path));
  const changes = Object.entries(edits.changes).filter(
    ([path, { content }]) => content !== null || there.has(path),
  );
  return { base: version, changes: Object.fromEntries(changes) };
}

/** Why a file cannot have this path; null when it can. */
export function refusePath(path: string, taken: Iterable<string>): string | null {
  if (path === "") return "Enter a path, such as templates/site.conf.j2.";
  if (path.startsWith("/")) return "The path is relative to the package: leave the first / away.";
  if (path.includes("\\")) return "Folders are separated by /.";
  if (path.split("/").some((part) => part === "" || part === "." || part === ".."))
    return "Every part of the path needs a name; . and .. are none.";
  for (const other of taken) {
    if (other === path) return `${path} is there already.`;
    if (other.startsWith(`${path}/`)) return `${path} is a folder.`;
    if (path.startsWith(`${other}/`)) return `${other} is a file and cannot hold another.`;
  }
  return null;
}

export function isExecutable(mode: number): boolean {
  return (mode & OWNER_EXECUTES) !== 0;
}

/** Files of a folder before its folders, both by name. */
export function comparePaths(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  for (let depth = 0; ; depth += 1) {
    const x = left[depth] ?? "";
    const y = right[depth] ?? "";
    const folders = Number(depth < left.length - 1) - Number(depth < right.length - 1);
    if (x !== y || folders !== 0) return folders !== 0 ? folders : x.localeCompare(y);
    if (depth === left.length - 1) return 0;
  }
}

function change(edits: Edits, path: string, made: Change): Edits {
  return { ...edits, changes: { ...edits.changes, [path]: made } };
}
