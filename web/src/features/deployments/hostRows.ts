import type { SortingState } from "@tanstack/react-table";

import type { DeploymentServer } from "@/api/types";
import { elapsed } from "@/format/time";
import { HOST_STATUSES } from "./status";

export interface HostFilter {
  status: readonly string[];
  search: string;
  slice?: number | undefined;
}

/** The rows that pass the filter; text is looked for in host, address, task and error. */
export function filterRows(rows: Iterable<DeploymentServer>, filter: HostFilter): DeploymentServer[] {
  const words = filter.search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const passing: DeploymentServer[] = [];
  for (const row of rows) {
    if (filter.slice !== undefined && row.slice !== filter.slice) continue;
    if (filter.status.length > 0 && !filter.status.includes(row.status)) continue;
    if (words.length > 0) {
      const text =
        `${row.host} ${row.address ?? ""} ${row.current_task ?? ""} ${row.error_message ?? ""}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
    }
    passing.push(row);
  }
  return passing;
}

const RANK = new Map(HOST_STATUSES.map((status, index) => [status, index]));
const NAMES = new Intl.Collator("en", { numeric: true });

/** `web2` before `web10`. */
export function compareHosts(a: DeploymentServer, b: DeploymentServer): number {
  return NAMES.compare(a.host, b.host) || a.slice - b.slice;
}

/** Failures first, then what runs, then the rest. */
export function compareStatus(a: DeploymentServer, b: DeploymentServer): number {
  return (RANK.get(a.status) ?? 0) - (RANK.get(b.status) ?? 0) || compareHosts(a, b);
}

export function rowDuration(row: DeploymentServer, now: number): number {
  return elapsed(row.started_at, row.finished_at, now) ?? -1;
}

function isFailure(row: DeploymentServer): boolean {
  return row.status === "failed" || row.status === "unreachable";
}

/** The index of the next failed or unreachable row after `current`, going round; -1 when there is none. */
export function nextFailure(rows: readonly DeploymentServer[], current: number): number {
  for (let step = 1; step <= rows.length; step += 1) {
    const index = (current + step) % rows.length;
    const row = rows[index];
    if (row !== undefined && isFailure(row)) return index;
  }
  return -1;
}

/** `-duration` in the address ↔ the table's sorting. */
export function sortingOf(parameter: string | undefined): SortingState {
  if (parameter === undefined) return [{ id: "status", desc: false }];
  const desc = parameter.startsWith("-");
  return [{ id: desc ? parameter.slice(1) : parameter, desc }];
}

export function parameterOf(sorting: SortingState): string | undefined {
  const [first] = sorting;
  if (first === undefined || (first.id === "status" && !first.desc)) return undefined;
  return first.desc ? `-${first.id}` : first.id;
}
