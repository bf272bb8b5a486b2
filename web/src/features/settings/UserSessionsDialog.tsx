import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/client";
import { sessionsQuery } from "@/api/queries";
import type { EndedSessions, User } from "@/api/types";
import { Button } from "@/components/Button";
import { Dialog, DialogActions } from "@/components/Dialog";
import { ErrorNotice, Loading } from "@/components/Notice";
import { SessionsTable } from "@/features/account/SessionsTable";

/** Shows an administrator the sessions of a user. */
export function UserSessionsDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const client = useQueryClient();
  const sessions = useQuery(sessionsQuery(user.id));
  const endAll = useMutation({
    mutationFn: () => api.delete<EndedSessions>(`/api/sessions?user_id=${user.id}`),
    onSettled: () => client.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const endable = sessions.data?.filter((session) => !session.current).length ?? 0;
  return (
    <Dialog
      title={`Sessions of ${user.username}`}
      description="Ending a session signs its browser out at once. API tokens keep working."
      shape="wide"
      onClose={onClose}
    >
      {sessions.isPending && <Loading what="sessions" />}
      {sessions.isError && <ErrorNotice title="The sessions could not be read" error={sessions.error} />}
      {endAll.isError && <ErrorNotice className="mb-3" title="Not ended" error={endAll.error} />}
      {sessions.data?.length === 0 && (
        <p className="text-soft py-4 text-sm">{user.username} is not signed in anywhere.</p>
      )}
      {sessions.data !== undefined && sessions.data.length > 0 && (
        <div className="panel overflow-hidden">
          <SessionsTable sessions={sessions.data} />
        </div>
      )}
      <DialogActions>
        <Button
          variant="danger"
          disabled={endable === 0}
          busy={endAll.isPending}
          onClick={() => {
            endAll.mutate();
          }}
        >
          End all sessions
        </Button>
        <Button onClick={onClose}>Done</Button>
      </DialogActions>
    </Dialog>
  );
}
