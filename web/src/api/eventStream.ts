import { api, ApiError } from "./client";
import { changeReconnecting } from "./connection";
import type { Session } from "./types";

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 5_000;

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
 * restarts), and then this opens a new one after the last id seen; so it does when the server says
 * that it stops (`closing`). Returns the function that closes it.
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
      // As long as that is not answered, a stream is not either.
      api.get<Session>("/api/session").then(open, (error: unknown) => {
        if (closed) return;
        if (error instanceof ApiError && error.isPassing) reopenLater();
        else open();
      });
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
    current.addEventListener("closing", (event: MessageEvent<string>) => {
      if (closed) return;
      if (event.lastEventId !== "") lastId = event.lastEventId;
      setBroken(true);
      // What is no longer listened to must not reconnect as well.
      current.onerror = null;
      current.close();
      reopenLater();
    });
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
