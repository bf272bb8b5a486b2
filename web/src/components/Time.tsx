import { elapsed, formatDuration, formatLocal, formatRelative, formatUtc } from "@/format/time";
import { useNow } from "./useNow";

/** A moment: how long ago, or the local date; UTC on hover. */
export function Time({ value, exact = false }: { value: string; exact?: boolean }) {
  const now = useNow(!exact, 30_000);
  const local = formatLocal(value);
  const relative = exact ? null : formatRelative(value, now);
  return (
    <time
      dateTime={value}
      title={relative === null ? formatUtc(value) : `${local}\n${formatUtc(value)}`}
      className="whitespace-nowrap"
    >
      {relative ?? local}
    </time>
  );
}

/** How long something took, or takes so far; ticks while it runs. */
export function Duration({ started, finished }: { started: string | null; finished: string | null }) {
  const running = started !== null && finished === null;
  const now = useNow(running, 1_000);
  if (started === null) return <span className="text-faint">–</span>;
  return <span className="whitespace-nowrap">{formatDuration(elapsed(started, finished, now) ?? 0)}</span>;
}
