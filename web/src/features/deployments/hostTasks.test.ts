import { expect, it } from "vitest";

import type { DeploymentEvent } from "@/api/types";
import { foldHostTasks } from "./hostTasks";

function event(
  position: number,
  kind: string,
  task: string,
  payload: Record<string, unknown> = {},
): DeploymentEvent {
  return {
    position,
    kind,
    task,
    task_id: `id of ${task}`,
    slice: 0,
    host: "web1",
    play: "all",
    recorded_at: "2026-03-04T05:06:07Z",
    payload,
  };
}

it("folds starts and results into tasks in order", () => {
  const tasks = foldHostTasks([
    event(1, "runner_on_start", "ping"),
    event(2, "runner_on_ok", "ping", { changed: false, duration: 0.5, result: { ping: "pong" } }),
    event(3, "runner_on_start", "copy"),
  ]);
  expect(tasks.map(({ task, status, duration }) => ({ task, status, duration }))).toEqual([
    { task: "ping", status: "ok", duration: 0.5 },
    { task: "copy", status: "running", duration: null },
  ]);
  expect(tasks[0]?.result).toEqual({ ping: "pong" });
});

it("tells ignored failures from failures", () => {
  const statuses = foldHostTasks([
    event(1, "runner_on_failed", "a", { ignore_errors: true }),
    event(2, "runner_on_failed", "b"),
    event(3, "runner_on_unreachable", "c"),
    event(4, "runner_on_skipped", "d"),
    event(5, "runner_on_ok", "e", { changed: true }),
  ]).map((task) => task.status);
  expect(statuses).toEqual(["ignored", "failed", "unreachable", "skipped", "changed"]);
});

it("collects items, retries, and diffs once", () => {
  const diff = { before: "a\n", after: "b\n" };
  const [task] = foldHostTasks([
    event(1, "runner_on_start", "loop"),
    event(2, "runner_retry", "loop"),
    event(3, "runner_item_on_ok", "loop", { item: "one", changed: true }),
    event(4, "runner_item_on_failed", "loop", { item: "two" }),
    event(5, "on_file_diff", "loop", { diff }),
    event(6, "runner_on_failed", "loop", { result: { diff: [diff] } }),
  ]);
  expect(task?.items.map((item) => `${item.label} ${item.status}`)).toEqual(["one changed", "two failed"]);
  expect(task?.retries).toBe(1);
  expect(task?.diffs).toEqual([diff]);
});

it("opens a new entry when a task runs again", () => {
  const run = [event(1, "runner_on_start", "handler"), event(2, "runner_on_ok", "handler")];
  const again = [event(3, "runner_on_start", "handler"), event(4, "runner_on_failed", "handler")];
  expect(foldHostTasks([...run, ...again]).map((task) => task.status)).toEqual(["ok", "failed"]);
});

it("passes over events that are about no task", () => {
  expect(foldHostTasks([event(1, "playbook_on_stats", "")])).toEqual([]);
});
