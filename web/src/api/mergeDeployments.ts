import type { Deployment, Page } from "./types";

/**
 * Puts changed deployments into a page of the list. `listChanged` says that which deployments belong
 * on the page may have changed (a new one, or a status that a filter looks at), so it must be read again.
 */
export function mergeDeployments(
  page: Page<Deployment>,
  changed: readonly Deployment[],
): { page: Page<Deployment>; listChanged: boolean } {
  const byId = new Map(changed.map((deployment) => [deployment.id, deployment]));
  const newest = page.data[0]?.number ?? 0;
  let listChanged = false;
  const data = page.data.map((known) => {
    const deployment = byId.get(known.id);
    if (deployment === undefined || deployment.event_position < known.event_position) return known;
    if (deployment.status !== known.status) listChanged = true;
    return deployment;
  });
  const known = new Set(page.data.map((deployment) => deployment.id));
  for (const deployment of changed) {
    if (!known.has(deployment.id) && (deployment.number > newest || page.data.length < page.meta.per_page))
      listChanged = true;
  }
  return { page: { ...page, data }, listChanged };
}
