import type { HostCounts, HostStatus } from "@/api/types";
import { formatCount } from "@/format/numbers";
import { HOST_STATUSES } from "./status";

// Finished well first, so that progress fills the bar from the left.
const BAR_ORDER: readonly HostStatus[] = [
  "success",
  "skipped",
  "failed",
  "unreachable",
  "cancelled",
  "running",
  "pending",
];

/** One bar, segmented by host status. */
export function HostBar({ counts, className = "h-2" }: { counts: HostCounts; className?: string }) {
  const present = BAR_ORDER.filter((status) => counts[status] > 0);
  const words = present.map((status) => `${formatCount(counts[status])} ${status}`).join(", ");
  return (
    <div
      role="img"
      aria-label={words === "" ? "no hosts yet" : `Hosts: ${words}`}
      title={words}
      className={`bg-sunken flex w-full gap-px overflow-hidden rounded-full ${className}`}
    >
      {present.map((status) => (
        <span
          key={status}
          className={`bar-${status} min-w-1 transition-[flex-grow] duration-300`}
          style={{ flexGrow: counts[status], flexBasis: 0 }}
        />
      ))}
    </div>
  );
}

/** The bar's legend with counts; a press filters by that status. */
export function HostLegend({
  counts,
  chosen,
  onToggle,
}: {
  counts: HostCounts;
  chosen: readonly string[];
  onToggle: (status: HostStatus) => void;
}) {
  return (
    <div role="group" aria-label="Filter hosts by status" className="flex flex-wrap gap-1.5">
      {HOST_STATUSES.filter((status) => counts[status] > 0 || chosen.includes(status)).map((status) => {
        const on = chosen.includes(status);
        return (
          <button
            key={status}
            type="button"
            aria-pressed={on}
            onClick={() => {
              onToggle(status);
            }}
            className={`inline-flex items-center gap-1.5 rounded-md border px-2 py-0.5 text-sm ${on ? "border-accent bg-accent-tint" : "border-line hover:bg-hover"}`}
          >
            <span aria-hidden="true" className={`bar-${status} size-2.5 rounded-sm`} />
            <span className="font-semibold">{formatCount(counts[status])}</span>
            <span className="text-soft">{status}</span>
          </button>
        );
      })}
    </div>
  );
}
