import type { Deployment, DeploymentServer } from "@/api/types";

/** How many runs carry a deployment out; never more than it has hosts. */
export function sliceCount(deployment: Pick<Deployment, "options" | "counts">): number {
  return Math.max(1, Math.min(deployment.options.slices ?? 1, deployment.counts.total));
}

/** What people call a slice: they count from one. */
export function sliceName(slice: number): string {
  return `slice ${slice + 1}`;
}

/** The row that a link means: in the slice it names, else the first of that host. */
export function findRow(
  rows: Iterable<DeploymentServer>,
  host: string,
  slice: number | undefined,
): DeploymentServer | undefined {
  let found: DeploymentServer | undefined;
  for (const row of rows)
    if (row.host === host && (slice === undefined || row.slice === slice))
      if (found === undefined || row.slice < found.slice) found = row;
  return found;
}
