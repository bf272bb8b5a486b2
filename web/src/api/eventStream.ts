import { api } from "./client";
import { changeReconnecting } from "./connection";
import type { Session } from "./types";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 15_000;

interface EventStreamOptions {
  /** The address to open, given the id of the last message seen. */
  url: (lastId: string | null) => string;
  kinds: readonly string[];
  onMessage: (kind: string, data: string) => void;
  /** Called after a break, when the stream is open again. */
  onResume?: () => void;
}

/**
 * An `EventSource` that always comes back. The browser reconnects by itself, with `Last-Event-ID`,
 * when the connection drops; it gives up on an error status (a proxy's 502 while the server
 * restarts), and then this opens a new one after the last id seen. Returns the function that closes it.
 */
export function openEventStream(options: EventStreamOptions): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastId: string | null = null;
  let retryMs = FIRST_RETRY_MS;
  let broken = false;
  let closed = false;

  const setBroken = (value: boolean) => {
    if (broken === value) return;
    broken = value;
    changeReconnecting(value ? 1 : -1);
  };

  const reopenLater = () => {
    timer = setTimeout(() => {
      // A lost session cannot be told from other refusals here; asking for it leads to sign-in.
      api.get<Session>("/api/session").then(open, open);
    }, retryMs);
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
  };

  const open = () => {
    if (closed) return;
    const current = new EventSource(options.url(lastId));
    source = current;
    current.onopen = () => {
      const resumed = broken;
      retryMs = FIRST_RETRY_MS;
      setBroken(false);
      if (resumed) options.onResume?.();
    };
    current.onerror = () => {
      if (closed) return;
      setBroken(true);
      if (current.readyState === EventSource.CLOSED) reopenLater();
    };
    for (const kind of options.kinds) {
      current.addEventListener(kind, (event: MessageEvent<string>) => {
        if (closed) return;
        if (event.lastEventId !== "") lastId = event.lastEventId;
        options.onMessage(kind, event.data);
      });
    }
  };

  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
    setBroken(false);
  };
}
