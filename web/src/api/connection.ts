import { useSyncExternalStore } from "react";

/** How many streams are trying to reconnect; the shell shows it. */
let reconnecting = 0;
const listeners = new Set<() => void>();

export function changeReconnecting(by: 1 | -1): void {
  reconnecting += by;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useReconnecting(): boolean {
  return useSyncExternalStore(subscribe, () => reconnecting > 0);
}
