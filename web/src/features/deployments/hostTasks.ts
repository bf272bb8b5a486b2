import type { DeploymentEvent } from "@/api/types";

export type TaskStatus = "running" | "ok" | "changed" | "failed" | "ignored" | "skipped" | "unreachable";

export type TaskResult = Record<string, unknown>;

export interface TaskItem {
  label: string;
  status: TaskStatus;
  result: TaskResult | null;
}

/** One task on one host, folded from its events. */
export interface HostTask {
  /** The position of its first event. */
  position: number;
  task: string;
  play: string | null;
  action: string | null;
  path: string | null;
  role: string | null;
  delegatedTo: string | null;
  status: TaskStatus;
  startedAt: string;
  /** Seconds, where known. */
  duration: number | null;
  result: TaskResult | null;
  diffs: unknown[];
  items: TaskItem[];
  retries: number;
  truncated: boolean;
}

/** The tasks of one host in the order they ran. `events` are all of that host, in order of position. */
export function foldHostTasks(events: readonly DeploymentEvent[]): HostTask[] {
  const tasks: HostTask[] = [];
  const open = new Map<string, HostTask>();
  for (const event of events) {
    const outcome = outcomeOf(event);
    if (outcome === null) continue;
    const key = event.task_id ?? event.task ?? "";
    let task = open.get(key);
    if (task === undefined || (event.kind === "runner_on_start" && task.status !== "running")) {
      task = newTask(event);
      open.set(key, task);
      tasks.push(task);
    }
    applyEvent(task, event, outcome);
  }
  return tasks;
}

type Outcome = { kind: "start" | "retry" | "diff" } | { kind: "item" | "final"; status: TaskStatus };

function outcomeOf({ kind, payload }: DeploymentEvent): Outcome | null {
  const done: TaskStatus = payload.changed === true ? "changed" : "ok";
  switch (kind) {
    case "runner_on_start":
      return { kind: "start" };
    case "runner_retry":
      return { kind: "retry" };
    case "on_file_diff":
      return { kind: "diff" };
    case "runner_on_ok":
      return { kind: "final", status: done };
    case "runner_on_failed":
      return { kind: "final", status: payload.ignore_errors === true ? "ignored" : "failed" };
    case "runner_on_skipped":
      return { kind: "final", status: "skipped" };
    case "runner_on_unreachable":
      return { kind: "final", status: payload.ignore_unreachable === true ? "ignored" : "unreachable" };
    case "runner_item_on_ok":
      return { kind: "item", status: done };
    case "runner_item_on_failed":
      return { kind: "item", status: "failed" };
    case "runner_item_on_skipped":
      return { kind: "item", status: "skipped" };
    default:
      return null;
  }
}

function newTask(event: DeploymentEvent): HostTask {
  return {
    position: event.position,
    task: event.task ?? "unnamed task",
    play: event.play,
    action: text(event.payload.action),
    path: text(event.payload.path),
    role: text(event.payload.role),
    delegatedTo: null,
    status: "running",
    startedAt: event.recorded_at,
    duration: null,
    result: null,
    diffs: [],
    items: [],
    retries: 0,
    truncated: false,
  };
}

function applyEvent(task: HostTask, event: DeploymentEvent, outcome: Outcome): void {
  const { payload } = event;
  const result = isObject(payload.result) ? payload.result : null;
  task.action ??= text(payload.action);
  task.delegatedTo = text(payload.delegated_to) ?? task.delegatedTo;
  task.truncated ||= payload.truncated === true;
  switch (outcome.kind) {
    case "start":
      return;
    case "retry":
      task.retries += 1;
      return;
    case "diff":
      // Results of a shown diff carry it as well; it is taken once.
      if (task.diffs.length === 0) task.diffs = diffsOf(payload.diff);
      return;
    case "item":
      task.items.push({ label: text(payload.item) ?? "item", status: outcome.status, result });
      return;
    case "final":
      task.status = outcome.status;
      task.duration = typeof payload.duration === "number" ? payload.duration : null;
      task.result = result;
      if (result?.diff !== undefined) task.diffs = diffsOf(result.diff);
  }
}

function diffsOf(diff: unknown): unknown[] {
  if (Array.isArray(diff)) return diff;
  return diff === undefined || diff === null ? [] : [diff];
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isFailedTask(task: Pick<HostTask, "status">): boolean {
  return task.status === "failed" || task.status === "unreachable";
}
