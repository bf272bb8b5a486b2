import { useQuery } from "@tanstack/react-query";

import { diffQuery, filesQuery } from "@/api/playbookQueries";
import type { Package, PackageVersion, Playbook } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Time } from "@/components/Time";
import { DiffView } from "../DiffView";
import { rebase, type Edits } from "./edits";

/** Somebody saved in between: what they changed, and what is to become of both. */
export function ConflictDialog({
  playbook,
  of,
  edits,
  current,
  onMine,
  onTheirs,
  onClose,
}: {
  playbook: Playbook;
  of: Package;
  edits: Edits;
  current: PackageVersion;
  /** The same edits, on their version. */
  onMine: (rebased: Edits) => void;
  onTheirs: () => void;
  onClose: () => void;
}) {
  const diff = useQuery(diffQuery(of.id, edits.base, current.id));
  const files = useQuery(filesQuery(of.id, current.id));
  const theirs = diff.data?.files ?? [];
  const both = theirs.map((file) => file.path).filter((path) => edits.changes[path] !== undefined);
  const ready = diff.data !== undefined && files.data !== undefined;
  const error = diff.error ?? files.error;
  return (
    <Dialog
      title={`${current.author_name} saved version ${current.number} in between`}
      shape="wide"
      description={
        <>
          <Time value={current.created_at} />
          {current.comment !== "" && `: ${current.comment}`}. Nothing of yours was saved, and nothing is lost:
          your changes to {playbook.package_name} are still here.
        </>
      }
      onClose={onClose}
    >
      {error !== null && <ErrorNotice title="What changed could not be read" error={error} />}
      {!ready && error === null && <Loading what="what changed" />}
      {ready && (
        <div className="space-y-3">
          {both.length > 0 ? (
            <Notice
              tone="warning"
              title={
                both.length === 1 ? "Both of you changed one file" : "Both of you changed the same files"
              }
            >
              <p>
                <span className="font-mono text-xs break-all">{both.join(", ")}</span>. Saving yours on top
                replaces what they wrote there; it stays in version {current.number}.
              </p>
            </Notice>
          ) : (
            <Notice tone="info">They changed other files than you. Saving yours on top keeps both.</Notice>
          )}
          <h3 className="text-sm font-semibold">What they changed</h3>
          <DiffView files={theirs} />
        </div>
      )}
      <DialogActions>
        <Button onClick={onClose}>Keep editing</Button>
        <Button variant="danger" disabled={!ready} onClick={onTheirs}>
          Take theirs, discard mine
        </Button>
        <Button
          variant="primary"
          disabled={!ready}
          onClick={() => {
            if (files.data !== undefined) onMine(rebase(edits, current.id, files.data.data));
          }}
        >
          Save mine on top…
        </Button>
      </DialogActions>
    </Dialog>
  );
}
