import { useMutation, useQuery } from "@tanstack/react-query";
import type { FormEvent } from "react";

import { api, ApiError } from "@/api/client";
import type { Finding, Package, PackageVersion } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { TextField } from "@/components/Field";
import { ErrorNotice } from "@/components/Notice";
import { plural } from "@/format/numbers";
import { FindingRows } from "../FindingRows";
import { changesOf, type EditedFile, type Edits } from "./edits";

/** Saves the edits as a new version, which Ansible has a look at meanwhile. Whoever saved in between is told about by `onConflict`. */
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
  const check = useQuery({
    queryKey: ["check", of.id, "with Ansible", edits],
    queryFn: ({ signal }) =>
      api.post<{ data: Finding[] }>(
        `/api/packages/${of.id}/check`,
        { base_version_id: edits.base, changes: changesOf(edits), with_ansible: true },
        { signal },
      ),
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
  });
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
        <section aria-label="Check" aria-busy={check.isPending} className="text-sm">
          {check.isPending && (
            <p role="status" className="text-soft">
              Ansible checks the syntax…
            </p>
          )}
          {check.isError && <ErrorNotice title="Not checked" error={check.error} />}
          {check.data?.data.length === 0 && <p className="text-soft">Checked: nothing was found.</p>}
          {check.data !== undefined && check.data.data.length > 0 && (
            <div className="max-h-48 overflow-y-auto">
              <FindingRows findings={check.data.data} label="Findings of the check" />
            </div>
          )}
        </section>
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
