import { useState } from "react";

import { Icon, type IconName } from "@/components/Icon";
import { Time } from "@/components/Time";
import { plural } from "@/format/numbers";
import { formatDuration } from "@/format/time";
import type { HostTask, TaskStatus } from "./hostTasks";
import { ResultView } from "./ResultView";

const LOOKS: Record<TaskStatus, { icon: IconName; colour: string }> = {
  running: { icon: "spinner", colour: "text-running" },
  ok: { icon: "check", colour: "text-success" },
  changed: { icon: "edit", colour: "text-changed" },
  failed: { icon: "close", colour: "text-failed" },
  ignored: { icon: "warning", colour: "text-unreachable" },
  skipped: { icon: "skip", colour: "text-skipped" },
  unreachable: { icon: "unplugged", colour: "text-unreachable" },
};

function TaskStatusLabel({ status }: { status: TaskStatus }) {
  const { icon, colour } = LOOKS[status];
  return (
    <span className={`inline-flex w-24 shrink-0 items-center gap-1.5 text-sm font-medium ${colour}`}>
      <Icon name={icon} className={`size-3.5 ${status === "running" ? "spin" : ""}`} />
      {status}
    </span>
  );
}

/** One task; opens to its result. `opensFirst` opens it until the reader decides otherwise. */
export function TaskEntry({
  task,
  ordinal,
  opensFirst,
  newPlay,
}: {
  task: HostTask;
  ordinal: number;
  opensFirst: boolean;
  newPlay: boolean;
}) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? opensFirst;
  return (
    <li>
      {newPlay && task.play !== null && (
        <p className="text-faint mt-3 mb-1.5 text-xs font-medium">Play: {task.play}</p>
      )}
      <div className="border-line rounded-md border">
        <button
          type="button"
          aria-expanded={open}
          onClick={() => {
            setChosen(!open);
          }}
          className="hover:bg-hover flex w-full items-center gap-2 rounded-md px-2.5 py-1.5 text-left text-sm"
        >
          <Icon name={open ? "chevronDown" : "chevronRight"} className="text-faint size-3.5" />
          <span className="text-faint w-6 shrink-0 text-right text-xs">{ordinal}</span>
          <TaskStatusLabel status={task.status} />
          <span className="min-w-0 flex-1 break-words">{task.task}</span>
          {task.items.length > 0 && (
            <span className="text-faint text-xs whitespace-nowrap">{plural(task.items.length, "item")}</span>
          )}
          {task.duration !== null && (
            <span className="text-faint text-xs">{formatDuration(task.duration * 1000)}</span>
          )}
        </button>
        {open && (
          <div className="border-line space-y-3 border-t px-3 py-2.5">
            <p className="text-faint flex flex-wrap gap-x-3 text-xs">
              {task.action !== null && <code>{task.action}</code>}
              {task.role !== null && <span>role {task.role}</span>}
              {task.path !== null && <code className="break-all">{task.path}</code>}
              {task.delegatedTo !== null && <span>on {task.delegatedTo}</span>}
              {task.retries > 0 && <span>{plural(task.retries, "retry", "retries")}</span>}
              <Time value={task.startedAt} exact />
            </p>
            {task.truncated && (
              <p className="text-unreachable text-xs">The result was too long and has been shortened.</p>
            )}
            {task.items.map((item, index) => (
              <div key={index} className="border-line border-l-2 pl-3">
                <p className="flex items-center gap-2 text-sm">
                  <TaskStatusLabel status={item.status} />
                  <code className="min-w-0 text-xs break-all">{item.label}</code>
                </p>
                {item.result !== null && <ResultView result={item.result} diffs={[]} />}
              </div>
            ))}
            {task.result === null && task.diffs.length === 0 ? (
              <p className="text-soft text-sm">
                {task.status === "running" ? "Still running." : "No result was recorded."}
              </p>
            ) : (
              <ResultView result={task.result ?? {}} diffs={task.diffs} />
            )}
          </div>
        )}
      </div>
    </li>
  );
}
