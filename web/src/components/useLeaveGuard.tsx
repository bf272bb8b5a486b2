import { useBlocker } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { plural } from "@/format/numbers";
import { isDirty, type Edits } from "./edits";

/** Asks before unsaved edits are lost by going to another page; the browser itself asks before it closes the tab. */
export function useLeaveGuard(edits: Edits | null): ReactNode {
  const dirty = edits !== null && isDirty(edits);
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname,
    enableBeforeUnload: () => dirty,
    withResolver: true,
  });
  if (blocker.status !== "blocked" || edits === null) return null;
  const files = Object.keys(edits.changes);
  return (
    <Dialog title="Leave without saving?" onClose={blocker.reset}>
      <p className="text-soft text-sm">
        Your changes to {plural(files.length, "file")} are not saved yet and would be lost:
      </p>
      <p className="mt-2 max-h-40 overflow-y-auto font-mono text-xs break-all">{files.join(", ")}</p>
      <DialogActions>
        <Button onClick={blocker.reset}>Keep editing</Button>
        <Button variant="danger" onClick={blocker.proceed}>
          Leave, lose the changes
        </Button>
      </DialogActions>
    </Dialog>
  );
}
