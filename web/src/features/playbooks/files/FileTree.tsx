import { useState } from "react";

import { Icon } from "@/components/Icon";
import type { EditedFile, FileState } from "./edits";
import { treeRows } from "./tree";

const STATES: Record<FileState, { mark: string; look: string }> = {
  same: { mark: "", look: "" },
  added: { mark: "A", look: "text-success" },
  changed: { mark: "M", look: "text-changed" },
  deleted: { mark: "D", look: "text-failed line-through" },
};

export function FileTree({
  files,
  chosen,
  onChoose,
}: {
  files: readonly EditedFile[];
  chosen: string;
  onChoose: (path: string) => void;
}) {
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const toggle = (path: string) => {
    const next = new Set(folded);
    if (!next.delete(path)) next.add(path);
    setFolded(next);
  };
  return (
    <ul aria-label="Files" className="py-1 text-sm">
      {treeRows(files, folded).map((row) => {
        const indentation = { paddingLeft: `${0.5 + row.depth * 0.85}rem` };
        if (row.file === undefined)
          return (
            <li key={`${row.path}/`}>
              <button
                type="button"
                aria-expanded={!folded.has(row.path)}
                style={indentation}
                onClick={() => {
                  toggle(row.path);
                }}
                className="text-soft hover:bg-hover flex w-full items-center gap-1 py-0.5 pr-2 text-left"
              >
                <Icon
                  name={folded.has(row.path) ? "chevronRight" : "chevronDown"}
                  className="text-faint size-3.5"
                />
                <span className="min-w-0 truncate">{row.name}</span>
              </button>
            </li>
          );
        const { mark, look } = STATES[row.file.state];
        return (
          <li key={row.path}>
            <button
              type="button"
              aria-current={row.path === chosen || undefined}
              title={row.path}
              style={indentation}
              onClick={() => {
                onChoose(row.path);
              }}
              className={`flex w-full items-center gap-1 py-0.5 pr-2 text-left ${row.path === chosen ? "bg-accent-tint text-accent font-medium" : "hover:bg-hover"}`}
            >
              <Icon name="file" className="text-faint size-3.5" />
              <span className={`min-w-0 flex-1 truncate ${look}`}>{row.name}</span>
              {mark !== "" && (
                <span className={`text-xs font-semibold no-underline ${look.split(" ")[0] ?? ""}`}>
                  <span aria-hidden="true">{mark}</span>
                  <span className="sr-only">{row.file.state}</span>
                </span>
              )}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
