import { useQuery } from "@tanstack/react-query";

import { ownEventsQuery, runsQuery } from "@/api/queries";
import type { Deployment, Run } from "@/api/types";
import { ErrorNotice, Loading } from "@/components/Notice";
import { Cell, HeadCell, Section, TableFrame } from "@/components/Page";
import { Duration, Time } from "@/components/Time";
import { ownEventInWords } from "./ownEvents";
import { sliceCount } from "./slices";
import { StatusLabel } from "./StatusLabel";

/** Who carries a deployment out, and what became of it step by step. */
export function RunsAndHistory({ deployment }: { deployment: Deployment }) {
  const { id, status, counts, waiting_for, cancel_requested_at, warnings } = deployment;
  // A slice begins and ends with its hosts.
  const version = JSON.stringify([
    status,
    counts.pending,
    counts.running,
    waiting_for.map((other) => other.number),
    cancel_requested_at,
    warnings.length,
  ]);
  const runs = useQuery(runsQuery(id, version));
  const events = useQuery(ownEventsQuery(id, version));
  return (
    <>
      <Section title="Runs">
        {runs.isPending && <Loading what="runs" />}
        {runs.isError && (
          <ErrorNotice
            title="The runs could not be read"
            error={runs.error}
            onRetry={() => void runs.refetch()}
          />
        )}
        {runs.data && (
          <RunsTable
            runs={runs.data.data}
            sliced={sliceCount(deployment) > 1}
            without={deployment.kind === "recorded" ? "none, in a shell" : "none yet"}
          />
        )}
      </Section>
      <Section title="History">
        {events.isPending && <Loading what="history" />}
        {events.isError && (
          <ErrorNotice
            title="The history could not be read"
            error={events.error}
            onRetry={() => void events.refetch()}
          />
        )}
        {events.data?.data.length === 0 && <p className="text-soft text-sm">Nothing has happened yet.</p>}
        <ol className="space-y-1 text-sm">
          {events.data?.data.map((event) => (
            <li key={event.position} className="flex gap-3">
              <span className="text-faint shrink-0 text-xs leading-5">
                <Time value={event.recorded_at} exact />
              </span>
              <span className="min-w-0 break-words">{ownEventInWords(event) ?? event.kind}</span>
            </li>
          ))}
        </ol>
      </Section>
    </>
  );
}

function RunsTable({
  runs,
  sliced,
  without,
}: {
  runs: readonly Run[];
  sliced: boolean;
  /** What is said where no worker is. */
  without: string;
}) {
  return (
    <TableFrame label="Runs">
      <thead>
        <tr>
          {sliced && <HeadCell className="text-right">Slice</HeadCell>}
          <HeadCell>Status</HeadCell>
          <HeadCell>Worker</HeadCell>
          <HeadCell className="text-right">Duration</HeadCell>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id}>
            {sliced && <Cell className="text-right">{run.slice + 1}</Cell>}
            <Cell>
              <span title={run.message ?? undefined}>
                <StatusLabel status={run.outcome ?? (run.status === "running" ? "running" : "pending")} />
              </span>
            </Cell>
            <Cell>{run.worker ?? <span className="text-faint">{without}</span>}</Cell>
            <Cell className="text-right">
              <Duration started={run.started_at} finished={run.finished_at} />
            </Cell>
          </tr>
        ))}
      </tbody>
    </TableFrame>
  );
}
