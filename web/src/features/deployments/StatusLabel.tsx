import type { DeploymentStatus, HostStatus } from "@/api/types";
import { Icon, type IconName } from "@/components/Icon";

type Status = DeploymentStatus | HostStatus;

const LOOKS: Record<Status, { icon: IconName; colour: string }> = {
  pending: { icon: "clock", colour: "text-pending" },
  running: { icon: "spinner", colour: "text-running" },
  completed: { icon: "check", colour: "text-success" },
  success: { icon: "check", colour: "text-success" },
  failed: { icon: "close", colour: "text-failed" },
  unreachable: { icon: "unplugged", colour: "text-unreachable" },
  skipped: { icon: "skip", colour: "text-skipped" },
  cancelled: { icon: "stop", colour: "text-cancelled" },
};

/** A status as icon, colour and word. */
export function StatusLabel({ status, className = "" }: { status: Status; className?: string }) {
  const { icon, colour } = LOOKS[status];
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium whitespace-nowrap ${colour} ${className}`}>
      <Icon name={icon} className={`size-3.5 ${status === "running" ? "spin" : ""}`} />
      {status}
    </span>
  );
}
