import type { Project } from "@/api/types";
import { Icon } from "@/components/Icon";

/** Whether the project is in step with its repository; the error in full where it is not. */
export function ProjectStatus({ project }: { project: Project }) {
  if (project.syncing)
    return (
      <span role="status" className="text-running inline-flex items-center gap-1.5 font-medium">
        <Icon name="spinner" className="spin size-3.5" />
        syncing
      </span>
    );
  if (project.error !== null)
    return (
      <span className="text-failed flex items-start gap-1.5 text-sm">
        <Icon name="warning" className="mt-0.5 size-3.5" />
        <span className="min-w-0 break-words whitespace-pre-line">{project.error}</span>
      </span>
    );
  if (project.synced_at === null) return <span className="text-faint">not looked at yet</span>;
  return (
    <span className="text-success inline-flex items-center gap-1.5 font-medium">
      <Icon name="check" className="size-3.5" />
      in step
    </span>
  );
}
