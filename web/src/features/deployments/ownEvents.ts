import type { DeploymentEvent } from "@/api/types";
import { sliceName } from "./slices";

/** What one of Admiral's own events says; `null` for kinds that are not known. */
export function ownEventInWords({ kind, payload }: Pick<DeploymentEvent, "kind" | "payload">): string | null {
  switch (kind) {
    case "deployment_waiting":
      return waiting(payload.for);
    case "deployment_started":
      return "The first run began.";
    case "run_started":
      return `${capital(slice(payload.slice))} began.`;
    case "run_finished":
      return `${capital(slice(payload.slice))} ended: ${outcome(payload)}.`;
    case "cancel_requested":
      return `${text(payload.by) ?? "Somebody"} asked to cancel${payload.force === true ? ", at once" : ""}.`;
    case "warning":
      return `Warning: ${text(payload.message) ?? ""}`;
    case "deployment_finished":
      return `The deployment ended: ${outcome(payload)}.`;
    default:
      return null;
  }
}

function waiting(numbers: unknown): string {
  const named = Array.isArray(numbers) ? numbers.map((number) => `#${String(number)}`) : [];
  return named.length === 0
    ? "The servers are free; waits for a worker."
    : `Waits for ${named.join(", ")}, at work on the same servers.`;
}

function slice(number: unknown): string {
  return typeof number === "number" ? sliceName(number) : "a slice";
}

function outcome(payload: Record<string, unknown>): string {
  const message = text(payload.message);
  const status = text(payload.status) ?? "unknown";
  return message === null ? status : `${status}, ${message}`;
}

function capital(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
