import { useState } from "react";

import type { PackageFile, PackageVersion } from "@/api/types";
import { Button } from "@/components/Button";
import { Notice } from "@/components/Notice";
import { plural } from "@/format/numbers";
import type { TabProps } from "../PlaybookPage";
import { add, editedFiles, isDirty, remove, rename, without, type Edits } from "./edits";
import { DiscardDialog } from "./DiscardDialog";
import { PathDialog } from "./PathDialog";
import { SaveFlow } from "./SaveFlow";

const WHY_NOT = {
  built_in: "Built-in playbooks cannot be changed. Upload a copy to make it your own.",
  folder: "It is edited where its files are: in the folder that Admiral watches.",
  git: "It is edited where its files are: in its git repository.",
  upload: null,
};

type Open = "add" | "rename" | "discard" | "save" | { conflict: PackageVersion };

/** Begins editing, does things to files, and saves. */
export function EditBar({
  playbook,
  of,
  version,
  operate,
  edits,
  onEdit,
  onSaved,
  path,
  text,
  inBase,
  onChoose,
}: TabProps & {
  edits: Edits | null;
  onEdit: (edits: Edits | null) => void;
  onSaved: (version: PackageVersion) => void;
  path: string;
  /** What is in the chosen file now; undefined or null when it cannot be shown. */
  text: string | null | undefined;
  inBase: readonly PackageFile[];
  onChoose: (path: string) => void;
}) {
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => {
    setOpen(null);
  };
  const current = of.current_version;
  if (edits === null) {
    const refusal =
      WHY_NOT[of.source] ??
      (version.id === current?.id ? null : "Only today's version is edited. Roll back to this one first.");
    if (!operate) return null;
    return (
      <div className="flex flex-wrap items-center justify-end gap-3">
        {refusal !== null && <p className="text-soft text-sm">{refusal}</p>}
        {of.source === "upload" && (
          <Button
            icon="edit"
            disabled={refusal !== null}
            title={refusal ?? undefined}
            onClick={() => {
              onEdit({ base: version.id, changes: {} });
            }}
          >
            Edit
          </Button>
        )}
      </div>
    );
  }
  const old = inBase.find((file) => file.path === path);
  const change = edits.changes[path];
  const listed = editedFiles(inBase, edits);
  const isThere = listed.some((file) => file.path === path && file.state !== "deleted");
  const taken = listed.filter((file) => file.state !== "deleted").map((file) => file.path);
  const count = Object.keys(edits.changes).length;
  const dirty = isDirty(edits);
  return (
    <>
      {current !== null && current.id !== edits.base && (
        <Notice
          tone="warning"
          title={`${current.author_name} saved version ${current.number} while you are editing`}
          action={
            <Button
              small
              onClick={() => {
                setOpen({ conflict: current });
              }}
            >
              See and decide
            </Button>
          }
        >
          Nothing of yours is lost. Look at what changed before you save.
        </Notice>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button
          small
          icon="plus"
          onClick={() => {
            setOpen("add");
          }}
        >
          Add file
        </Button>
        <Button
          small
          icon="edit"
          disabled={!isThere || typeof text !== "string"}
          title={typeof text === "string" ? undefined : "Only a text file can be renamed here"}
          onClick={() => {
            setOpen("rename");
          }}
        >
          Rename file
        </Button>
        <Button
          small
          icon="trash"
          disabled={!isThere}
          onClick={() => {
            onEdit(remove(edits, path, old !== undefined));
          }}
        >
          Delete file
        </Button>
        {change !== undefined && (
          <Button
            small
            variant="quiet"
            onClick={() => {
              onEdit(without(edits, path));
            }}
          >
            Undo
          </Button>
        )}
        <span className="flex-1" />
        <span className="text-soft text-sm">
          {dirty ? `${plural(count, "file")} changed` : "no changes yet"}
        </span>
        <Button
          onClick={() => {
            if (dirty) setOpen("discard");
            else onEdit(null);
          }}
        >
          {dirty ? "Discard" : "Stop editing"}
        </Button>
        <Button
          variant="primary"
          disabled={!dirty}
          onClick={() => {
            setOpen("save");
          }}
        >
          Save…
        </Button>
      </div>
      {open === "add" && (
        <PathDialog
          title="Add file"
          action="Add"
          initial=""
          taken={taken}
          onClose={close}
          onDone={(next) => {
            onEdit(add(edits, next));
            onChoose(next);
          }}
        />
      )}
      {open === "rename" && typeof text === "string" && (
        <PathDialog
          title={`Rename ${path}`}
          action="Rename"
          initial={path}
          taken={taken.filter((other) => other !== path)}
          onClose={close}
          onDone={(next) => {
            if (next === path) return;
            onEdit(rename(edits, path, next, text, old));
            onChoose(next);
          }}
        />
      )}
      {open === "discard" && (
        <DiscardDialog
          paths={Object.keys(edits.changes)}
          onClose={close}
          onDiscard={() => {
            onEdit(null);
          }}
        />
      )}
      {(open === "save" || (typeof open === "object" && open !== null)) && (
        <SaveFlow
          playbook={playbook}
          of={of}
          edits={edits}
          files={listed.filter((file) => file.state !== "same")}
          conflict={typeof open === "object" ? open.conflict : undefined}
          onEdit={onEdit}
          onSaved={onSaved}
          onClose={close}
        />
      )}
    </>
  );
}
