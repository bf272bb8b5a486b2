import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "@/api/client";
import { sessionsQuery } from "@/api/queries";
import type { EndedSessions } from "@/api/types";
import { Button } from "@/components/Button";
import { ConfirmDialog } from "@/components/Dialog";
import { ErrorNotice, Loading } from "@/components/Notice";
import { SessionsTable } from "./SessionsTable";

/** The sessions of the user who is signed in. */
export function SessionsSection({ owner }: { owner: string }) {
  const client = useQueryClient();
  const sessions = useQuery(sessionsQuery(owner));
  const [ending, setEnding] = useState(false);
  const others = sessions.data?.filter((session) => !session.current).length ?? 0;
  return (
    <section aria-label="Sessions">
      <div className="mb-2 flex flex-wrap items-end justify-between gap-2">
        <div className="max-w-prose">
          <h2 className="text-base font-semibold">Sessions</h2>
          <p className="text-soft text-sm">
            Browsers in which you are signed in. A session ends after 12 hours without use, and after a week
            at the latest.
          </p>
        </div>
        <Button
          disabled={others === 0}
          onClick={() => {
            setEnding(true);
          }}
        >
          Sign out everywhere else
        </Button>
      </div>
      <div className="panel overflow-hidden">
        {sessions.isPending && <Loading what="sessions" />}
        {sessions.isError && (
          <ErrorNotice
            className="m-3"
            title="The sessions could not be read"
            error={sessions.error}
            onRetry={() => void sessions.refetch()}
          />
        )}
        {sessions.data && <SessionsTable sessions={sessions.data} />}
      </div>
      {ending && (
        <ConfirmDialog
          title="Sign out everywhere else?"
          action="Sign out everywhere else"
          keep="Cancel"
          onClose={() => {
            setEnding(false);
          }}
          onConfirm={async () => {
            await api.delete<EndedSessions>("/api/sessions");
            await client.invalidateQueries({ queryKey: ["sessions"] });
          }}
        >
          <p>All your sessions end except this one. API tokens keep working.</p>
        </ConfirmDialog>
      )}
    </section>
  );
}
