import { useBlocker } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { Button } from "./Button";
import { Dialog, DialogActions } from "./Dialog";

/**
 * Asks before unsaved work is lost by going to another page; the browser itself asks before it closes the tab. Gives the
 * dialog, or nothing while nobody is leaving.
 */
export function useLeaveGuard(dirty: boolean, title: string, lost: ReactNode): ReactNode {
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => dirty && current.pathname !== next.pathname,
    enableBeforeUnload: () => dirty,
    withResolver: true,
  });
  if (blocker.status !== "blocked") return null;
  return (
    <Dialog title={title} onClose={blocker.reset}>
      {lost}
      <DialogActions>
        <Button onClick={blocker.reset}>Keep editing</Button>
        <Button variant="danger" onClick={blocker.proceed}>
          Leave, lose the changes
        </Button>
      </DialogActions>
    </Dialog>
  );
}
