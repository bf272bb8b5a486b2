import type { ImportReport } from "@/api/types";

/** The inventory in a text that `ansible-inventory --list` printed; or why it is none. */
export function readInventory(text: string): { inventory: Record<string, unknown> } | { error: string } {
  if (text.trim() === "") return { error: "Choose a file, or paste what the command prints." };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (failure) {
    return { error: `This is not JSON: ${failure instanceof Error ? failure.message : "it cannot be read"}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { error: "This is JSON, but not what ansible-inventory --list prints: it is no object." };
  return { inventory: value as Record<string, unknown> };
}

type Action = ImportReport["servers"][number]["action"];

/** What needs a look comes first. */
const ACTIONS: readonly Action[] = ["skipped", "changed", "created", "unchanged"];

export function sortReport(servers: ImportReport["servers"]): ImportReport["servers"] {
  return servers.toSorted((a, b) => ACTIONS.indexOf(a.action) - ACTIONS.indexOf(b.action));
}

/** `2 created, 1 skipped`, in the order of the table. */
export function countReport(servers: ImportReport["servers"]): string {
  return ACTIONS.map((action) => [servers.filter((server) => server.action === action).length, action])
    .filter(([count]) => count !== 0)
    .map((words) => words.join(" "))
    .join(", ");
}

/** Whether the import would do anything. */
export function hasNews(report: ImportReport): boolean {
  return report.servers.some(({ action }) => action === "created" || action === "changed");
}
