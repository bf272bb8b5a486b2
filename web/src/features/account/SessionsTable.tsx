import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/api/client";
import type { UserSession } from "@/api/types";
import { Button } from "@/components/Button";
import { Icon } from "@/components/Icon";
import { ErrorNotice } from "@/components/Notice";
import { Cell, HeadCell, TableFrame } from "@/components/Page";
import { Time } from "@/components/Time";
import { describeUserAgent } from "@/format/userAgent";

/** Sessions of one user. All of them can be ended here except the current one. */
export function SessionsTable({ sessions }: { sessions: readonly UserSession[] }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: (id: string) => api.delete(`/api/sessions/${id}`),
    onSettled: () => client.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const currentFirst = sessions.toSorted((a, b) => Number(b.current) - Number(a.current));
  return (
    <>
      {revoke.isError && <ErrorNotice className="m-3" title="Not ended" error={revoke.error} />}
      <TableFrame label="Sessions">
        <thead>
          <tr>
            <HeadCell>Browser</HeadCell>
            <HeadCell className="max-sm:hidden">Address</HeadCell>
            <HeadCell className="max-sm:hidden">Signed in</HeadCell>
            <HeadCell>Last used</HeadCell>
            <HeadCell>
              <span className="sr-only">Actions</span>
            </HeadCell>
          </tr>
        </thead>
        <tbody>
          {currentFirst.map((session) => (
            <tr key={session.id} className="hover:bg-hover">
              <Cell className="font-medium">
                <span className="block max-w-64 truncate" title={session.user_agent ?? undefined}>
                  {describeUserAgent(session.user_agent)}
                </span>
                <span className="text-faint block font-mono text-xs font-normal sm:hidden">
                  {session.address}
                </span>
              </Cell>
              <Cell className="font-mono text-xs max-sm:hidden">{session.address ?? "—"}</Cell>
              <Cell className="text-soft whitespace-nowrap max-sm:hidden">
                <Time value={session.created_at} />
              </Cell>
              <Cell className="text-soft whitespace-nowrap">
                <Time value={session.last_seen_at} />
              </Cell>
              <Cell className="text-right">
                {session.current ? (
                  <span className="text-success inline-flex items-center gap-1.5 py-1 whitespace-nowrap">
                    <Icon name="check" className="size-3.5" />
                    this session
                  </span>
                ) : (
                  <Button
                    small
                    busy={revoke.isPending && revoke.variables === session.id}
                    aria-label={`End the session of ${describeUserAgent(session.user_agent)}`}
                    onClick={() => {
                      revoke.mutate(session.id);
                    }}
                  >
                    End
                  </Button>
                )}
              </Cell>
            </tr>
          ))}
        </tbody>
      </TableFrame>
    </>
  );
}
