import { useSyncExternalStore } from "react";

/** How often the server is asked whether it is back; it says so itself, in `Retry-After`. */
const LOOK_MS = 2_000;

/** How many streams are trying to reconnect; the shell shows it. */
let reconnecting = 0;
/** Whether a request found nobody who could answer it. */
let unavailable = false;
const listeners = new Set<() => void>();
const onRestored = new Set<() => void>();

function changed(): void {
  for (const listener of listeners) listener();
}

export function changeReconnecting(by: 1 | -1): void {
  reconnecting += by;
  changed();
}

/** A request met a server that cannot be reached, or whose database is away: it is asked until it can do its work. */
export function noteUnavailable(): void {
  if (unavailable) return;
  unavailable = true;
  changed();
  lookLater();
}

function lookLater(): void {
  setTimeout(() => {
    fetch("/api/health").then(
      (response) => {
        if (response.ok) restored();
        else lookLater();
      },
      () => {
        lookLater();
      },
    );
  }, LOOK_MS);
}

function restored(): void {
  unavailable = false;
  changed();
  for (const listener of onRestored) listener();
}

/** Calls `listener` whenever the server can be reached again. Returns the function that ends that. */
export function whenRestored(listener: () => void): () => void {
  onRestored.add(listener);
  return () => onRestored.delete(listener);
}

export function isReconnecting(): boolean {
  return reconnecting > 0 || unavailable;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useReconnecting(): boolean {
  return useSyncExternalStore(subscribe, isReconnecting);
}
