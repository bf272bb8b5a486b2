import { useMemo } from "react";

import type { Deployment, DeploymentServer } from "@/api/types";
import { Dialog } from "@/components/Dialog";
import { EmptyState, ErrorNotice, Loading, Notice } from "@/components/Notice";
import { Duration } from "@/components/Time";
import { formatCount } from "@/format/numbers";
import { foldHostTasks, isFailedTask } from "./hostTasks";
import { sliceCount, sliceName } from "./slices";
import { StatusLabel } from "./StatusLabel";
import { TaskEntry } from "./TaskEntry";
import { useHostEvents } from "./useHostEvents";

const COUNTERS = [
  ["ok", "ok"],
  ["changed_count", "changed"],
  ["failed", "failed"],
  ["unreachable", "unreachable"],
  ["skipped", "skipped"],
  ["rescued", "rescued"],
  ["ignored", "ignored"],
] as const;

/** One host of a deployment: every task of it, in order, with its results. */
export function HostPanel({
  deployment,
  host,
  slice,
  row,
  onClose,
}: {
  deployment: Deployment;
  host: string;
  /** Where the host is in several slices. */
  slice: number | undefined;
  row: DeploymentServer | undefined;
  onClose: () => void;
}) {
  const version = `${deployment.status} ${row?.position ?? deployment.event_position} ${row?.status ?? ""}`;
  const { events, removed, loaded, error, retry } = useHostEvents(deployment.id, host, slice, version);
  const tasks = useMemo(() => foldHostTasks(events), [events]);
  const firstFailed = tasks.find(isFailedTask);
  return (
    <Dialog
      title={host}
      description={
        row && (
          <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <StatusLabel status={row.status} />
            {sliceCount(deployment) > 1 && <span>{sliceName(row.slice)}</span>}
            {row.address !== null && <code className="text-xs">{row.address}</code>}
            <Duration started={row.started_at} finished={row.finished_at} />
            {COUNTERS.filter(([field]) => row[field] > 0).map(([field, name]) => (
              <span key={field}>
                {formatCount(row[field])} {name}
              </span>
            ))}
          </span>
        )
      }
      shape="side"
      onClose={onClose}
    >
      {row !== undefined && row.error_message !== null && (
        <Notice tone="error" className="mb-4">
          <span className="whitespace-pre-wrap">{row.error_message}</span>
        </Notice>
      )}
      {error !== null && <ErrorNotice title="The tasks could not be read" error={error} onRetry={retry} />}
      {removed && tasks.length > 0 && (
        <Notice tone="info" className="mb-4">
          Earlier events of this deployment were removed: they are older than events are kept.
        </Notice>
      )}
      {tasks.length > 0 ? (
        <ol className="space-y-1.5" aria-label="Tasks">
          {tasks.map((task, index) => (
            <TaskEntry
              key={task.position}
              task={task}
              ordinal={index + 1}
              opensFirst={task.position === firstFailed?.position}
              newPlay={task.play !== tasks[index - 1]?.play}
            />
          ))}
        </ol>
      ) : loaded && removed ? (
        <EmptyState icon="clock" title="Tasks removed">
          The events of this deployment are older than events are kept, and were removed. Its results stay.
        </EmptyState>
      ) : loaded ? (
        <EmptyState icon="clock" title="No task yet">
          {row?.status === "pending" ? "This host has not started." : "No task of this host was recorded."}
        </EmptyState>
      ) : (
        error === null && <Loading what="tasks" />
      )}
    </Dialog>
  );
}
