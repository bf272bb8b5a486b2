/** The playbooks that are chosen at first: those that the package has already; else the only one there is. */
export function likelyEntries(candidates: readonly string[], known: readonly string[]): readonly string[] {
  const kept = candidates.filter((path) => known.includes(path));
  return kept.length > 0 || candidates.length > 1 ? kept : candidates;
}
