const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `0.4s`, `12s`, `3m 05s`, `2h 07m`, `1d 04h`. */
export function formatDuration(milliseconds: number): string {
  const value = Math.max(0, milliseconds);
  if (value < 10 * SECOND) return `${(value / SECOND).toFixed(1)}s`;
  const seconds = Math.round(value / SECOND);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${pad(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${pad(hours % 24)}h`;
}

/** Milliseconds from start to end, or to `now` while there is no end; `null` before the start. */
export function elapsed(started: string | null, finished: string | null, now: number): number | null {
  if (started === null) return null;
  return (finished === null ? now : Date.parse(finished)) - Date.parse(started);
}

/** `just now`, `5 min ago`, `3 h ago`, `in 2 days`; `null` when a date says it better. */
export function formatRelative(time: string, now: number): string | null {
  const difference = now - Date.parse(time);
  const size = Math.abs(difference);
  if (size < 45 * SECOND) return "just now";
  if (size >= 7 * DAY) return null;
  const text =
    size < HOUR
      ? `${Math.max(1, Math.round(size / MINUTE))} min`
      : size < DAY
        ? `${Math.round(size / HOUR)} h`
        : days(Math.round(size / DAY));
  return difference > 0 ? `${text} ago` : `in ${text}`;
}

/** The local date and time: `2026-03-04 05:06:07`. */
export function formatLocal(time: string): string {
  const date = new Date(time);
  return (
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
    `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  );
}

/** The same moment in UTC: `2026-03-04 05:06:07 UTC`. */
export function formatUtc(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function days(count: number): string {
  return count === 1 ? "1 day" : `${count} days`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
