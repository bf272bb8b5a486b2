import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { Package, PackageVersion } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { plural } from "@/format/numbers";
import { changesOf, type EditedFile, type Edits } from "./edits";

/** Saves the edits as a new version. Whoever saved in between is told about by `onConflict`. */
export function SaveDialog({
  of,
  edits,
  files,
  comment,
  onComment,
  onSaved,
  onConflict,
  onClose,
}: {
  of: Package;
  edits: Edits;
  files: readonly EditedFile[];
  comment: string;
  onComment: (comment: string) => void;
  onSaved: (version: PackageVersion) => void;
  onConflict: (current: PackageVersion) => void;
  onClose: () => void;
}) {
  const save = useMutation({
    mutationFn: () =>
      api.post<PackageVersion>(`/api/packages/${of.id}/versions`, {
        base_version_id: edits.base,
        comment: comment.trim(),
        changes: changesOf(edits),
      }),
    onSuccess: onSaved,
    onError: (error) => {
      if (error instanceof ApiError && error.code === "version_conflict")
        onConflict(error.body.current as PackageVersion);
    },
  });
  const refused = save.error instanceof ApiError ? save.error : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog
      title={`Save a new version of ${of.name}`}
      description={`${plural(files.length, "file")} changed`}
      onClose={onClose}
    >
      <form onSubmit={submit} className="space-y-4">
        {save.isError && <ErrorNotice title="Not saved" error={save.error} />}
        <ul className="bg-sunken max-h-48 overflow-y-auto rounded-md px-3 py-2 font-mono text-xs leading-5">
          {files.map((file) => (
            <li key={file.path} className="break-all">
              {file.path} <span className="text-faint">{file.state}</span>
            </li>
          ))}
        </ul>
        <TextField
          label="Comment"
          optional
          autoFocus
          hint="What changed and why, for those who look at it later."
          error={refused?.field("comment")}
          value={comment}
          onChange={(event) => {
            onComment(event.target.value);
          }}
        />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            Save version
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
