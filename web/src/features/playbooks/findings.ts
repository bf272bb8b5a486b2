import type { Finding, Severity } from "@/api/types";
import type { IconName } from "@/components/Icon";

export const SEVERITIES: Record<Severity, { name: string; icon: IconName; colour: string; rank: number }> = {
  error: { name: "Error", icon: "close", colour: "text-failed", rank: 0 },
  warning: { name: "Warning", icon: "warning", colour: "text-unreachable", rank: 1 },
  note: { name: "Note", icon: "info", colour: "text-running", rank: 2 },
};

/** The worst first, then by file and line. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      SEVERITIES[a.severity].rank - SEVERITIES[b.severity].rank ||
      a.path.localeCompare(b.path) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
}

/** `2 errors, 1 warning`; empty for none. */
export function countFindings(findings: readonly Finding[]): string {
  return (["error", "warning", "note"] as const)
    .map((severity) => ({
      severity,
      count: findings.filter((finding) => finding.severity === severity).length,
    }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count === 1 ? "" : "s"}`)
    .join(", ");
}

/** `roles/web/tasks/main.yml:12:3` */
export function placeOf(finding: Finding): string {
  const line = finding.line === null ? "" : `:${finding.line}`;
  return `${finding.path}${line}${finding.line !== null && finding.column !== null ? `:${finding.column}` : ""}`;
}
