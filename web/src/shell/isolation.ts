import type { Worker } from "@/api/types";

/** The names of the workers that cannot isolate runs, and of those that were told not to; those that are silent are left out. */
export function workersWithout(workers: readonly Worker[]): { unable: string[]; off: string[] } {
  const named = (isolation: Worker["isolation"]) => [
    ...new Set(
      workers
        .filter((worker) => worker.status !== "silent" && worker.isolation === isolation)
        .map((worker) => worker.name),
    ),
  ];
  return { unable: named("unavailable"), off: named("none") };
}
