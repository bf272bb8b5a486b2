import { formatCount } from "@/format/numbers";
import type { Deployment, DeploymentReason, DeploymentStatus, HostCounts, HostStatus } from "@/api/types";

/** Worst first: the order of legends, bars and of sorting by status. */
export const HOST_STATUSES: readonly HostStatus[] = [
  "failed",
  "unreachable",
  "cancelled",
  "running",
  "pending",
  "success",
  "skipped",
];

export const DEPLOYMENT_STATUSES: readonly DeploymentStatus[] = [
  "pending",
  "running",
  "completed",
  "failed",
  "cancelled",
];

const REASONS: Record<DeploymentReason, string> = {
  hosts_failed: "hosts failed",
  hosts_unreachable: "hosts could not be reached",
  timed_out: "ran longer than its timeout",
  resource_limit: "used more of the controller than it is allowed to",
  worker_lost: "the worker running it was lost",
  playbook_error: "the playbook has an error",
  inventory_error: "the inventory could not be built",
  launch_error: "the run could not be started",
  cancelled_by_user: "cancelled by a user",
};

/** Why a deployment ended as it did, in words: `3 of 1,200 hosts failed, 1 unreachable`. */
export function reasonInWords(deployment: Pick<Deployment, "reason" | "counts">): string | null {
  const { reason, counts } = deployment;
  if (reason === null) return null;
  const of = `of ${formatCount(counts.total)} ${counts.total === 1 ? "host" : "hosts"}`;
  if (reason === "hosts_failed" && counts.failed > 0) {
    const also = counts.unreachable > 0 ? `, ${formatCount(counts.unreachable)} unreachable` : "";
    return `${formatCount(counts.failed)} ${of} failed${also}`;
  }
  if (reason === "hosts_unreachable" && counts.unreachable > 0)
    return `${formatCount(counts.unreachable)} ${of} unreachable`;
  return REASONS[reason];
}

/** How many hosts a retry would take: failed, unreachable, and those that never started or finished. */
export function retryableHosts(counts: HostCounts): number {
  return counts.failed + counts.unreachable + counts.pending + counts.cancelled;
}

/** The title of a browser tab that shows a deployment. */
export function deploymentTitle(
  deployment: Pick<Deployment, "number" | "name" | "status" | "counts">,
): string {
  const { counts, status } = deployment;
  const ended = counts.total - counts.pending - counts.running;
  const state =
    status === "running" && counts.total > 0
      ? `${status} ${Math.floor((ended / counts.total) * 100)}%`
      : status;
  return `${state} · #${deployment.number} ${deployment.name}`;
}
