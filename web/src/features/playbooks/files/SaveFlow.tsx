import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { Package, PackageVersion, Playbook } from "@/api/types";
import { ConflictDialog } from "./ConflictDialog";
import type { EditedFile, Edits } from "./edits";
import { SaveDialog } from "./SaveDialog";

/** Saves edits; when somebody else saved in between, shows their changes and goes on from there. */
export function SaveFlow({
  playbook,
  of,
  edits,
  files,
  conflict,
  onEdit,
  onSaved,
  onClose,
}: {
  playbook: Playbook;
  of: Package;
  edits: Edits;
  /** What the edits touch. */
  files: readonly EditedFile[];
  /** The version that is known to have been saved in between. */
  conflict?: PackageVersion | undefined;
  onEdit: (edits: Edits | null) => void;
  onSaved: (version: PackageVersion) => void;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const [newer, setNewer] = useState(conflict ?? null);
  // Outlives the look at what somebody else saved.
  const [comment, setComment] = useState("");
  const renew = () => {
    void client.invalidateQueries({ queryKey: ["packages"] });
    void client.invalidateQueries({ queryKey: ["playbooks"] });
  };
  if (newer !== null)
    return (
      <ConflictDialog
        playbook={playbook}
        of={of}
        edits={edits}
        current={newer}
        onClose={onClose}
        onMine={(rebased) => {
          onEdit(rebased);
          setNewer(null);
        }}
        onTheirs={() => {
          onEdit(null);
          renew();
          onClose();
        }}
      />
    );
  return (
    <SaveDialog
      of={of}
      edits={edits}
      files={files}
      comment={comment}
      onComment={setComment}
      onClose={onClose}
      onConflict={(current) => {
        renew();
        setNewer(current);
      }}
      onSaved={(made) => {
        renew();
        onEdit(null);
        onSaved(made);
        onClose();
      }}
    />
  );
}
