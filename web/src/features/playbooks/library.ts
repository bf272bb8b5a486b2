import type { Outline, Playbook } from "@/api/types";

export const ORIGINS: readonly { origin: Playbook["origin"]; name: string }[] = [
  { origin: "custom", name: "Custom" },
  { origin: "project", name: "Projects" },
  { origin: "built_in", name: "Built-in" },
];

export interface Category {
  /** Empty: without a category. */
  name: string;
  playbooks: Playbook[];
}

export interface OriginGroup {
  origin: Playbook["origin"];
  name: string;
  count: number;
  categories: Category[];
}

/** By origin, people's own first, and within each by category; those without one come first. */
export function groupPlaybooks(playbooks: readonly Playbook[]): OriginGroup[] {
  return ORIGINS.map(({ origin, name }) => {
    const of = playbooks.filter((playbook) => playbook.origin === origin);
    const names = [...new Set(of.map((playbook) => playbook.outline.category ?? ""))].sort((a, b) =>
      a.localeCompare(b),
    );
    const categories = names.map((category) => ({
      name: category,
      playbooks: of.filter((playbook) => (playbook.outline.category ?? "") === category),
    }));
    return { origin, name, count: of.length, categories };
  }).filter((group) => group.count > 0);
}

/** Whether every word is found somewhere in what the library shows of the playbook. */
export function matches(playbook: Playbook, search: string): boolean {
  const { outline } = playbook;
  const text = [
    playbook.id,
    outline.name,
    outline.description,
    outline.category,
    ...listsOf(outline),
    outline.error,
  ]
    .join("\n")
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function listsOf(outline: Outline): string[] {
  const { hosts = [], tags = [], roles = [], variables = [] } = outline;
  return [...hosts, ...tags, ...roles, ...variables];
}

/** `92% of 25` runs completed; null before the first one ended. */
export function successRate(record: Playbook["record"]): number | null {
  return record.ended === 0 ? null : Math.floor((record.completed / record.ended) * 100);
}

/** Why a playbook cannot be launched now; null when it can. */
export function whyNotLaunched(playbook: Playbook): string | null {
  if (playbook.missing_since !== null) return "It is gone from its package. Earlier versions can be run.";
  if (playbook.version === null) return "Its package has no version yet.";
  return playbook.outline.error ?? null;
}
