import type { ServerStatus } from "@/api/types";
import { Icon } from "@/components/Icon";

export function ServerStatusLabel({ status }: { status: ServerStatus }) {
  return (
    <span
      className={`inline-flex items-center gap-1.5 text-sm ${status === "active" ? "text-success" : "text-skipped"}`}
    >
      <Icon name={status === "active" ? "check" : "dash"} className="size-3.5" />
      {status}
    </span>
  );
}
