import { Link } from "@tanstack/react-router";

import type { DeploymentStatus, Playbook } from "@/api/types";
import { Icon, type IconName } from "@/components/Icon";
import { useNow } from "@/components/useNow";
import { plural } from "@/format/numbers";
import { formatLocal, formatRelative } from "@/format/time";
import { successRate } from "./library";

const LOOKS: Record<DeploymentStatus, { icon: IconName; look: string }> = {
  pending: { icon: "clock", look: "border-pending text-pending" },
  running: { icon: "spinner", look: "border-running text-running" },
  completed: { icon: "check", look: "border-success text-success bg-success/10" },
  failed: { icon: "close", look: "border-failed text-failed bg-failed/10" },
  cancelled: { icon: "stop", look: "border-cancelled text-cancelled" },
};

/** The latest deployments of a playbook, the oldest first, each a link; and how many of all completed. */
export function RunMarks({ record }: { record: Playbook["record"] }) {
  const now = useNow(true, 30_000);
  const rate = successRate(record);
  if (record.latest.length === 0) return <span className="text-faint text-xs">never run</span>;
  return (
    <span className="flex items-center gap-2">
      <span className="flex gap-0.5">
        {record.latest.toReversed().map((run) => {
          const { icon, look } = LOOKS[run.status];
          const when = formatRelative(run.created_at, now) ?? formatLocal(run.created_at);
          const text = `#${run.number} ${run.status}, ${when}`;
          return (
            <Link
              key={run.id}
              to="/deployments/$id"
              params={{ id: String(run.number) }}
              aria-label={text}
              title={text}
              className={`flex size-5 items-center justify-center rounded border ${look}`}
            >
              <Icon name={icon} className={`size-3 ${run.status === "running" ? "spin" : ""}`} />
            </Link>
          );
        })}
      </span>
      {rate !== null && (
        <span
          className="text-soft text-xs"
          title={`${record.completed} of ${plural(record.ended, "run")} completed`}
        >
          {rate}%<span className="sr-only"> of {plural(record.ended, "run")} completed</span>
        </span>
      )}
    </span>
  );
}
