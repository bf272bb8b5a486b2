import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { isReconnecting, whenRestored } from "./connection";
import { api } from "./client";
import { openEventStream } from "./eventStream";

class FakeEventSource {
  static readonly CLOSED = 2;
  static opened: FakeEventSource[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  readonly url: string;
  private readonly listeners = new Map<string, (event: { data: string; lastEventId: string }) => void>();

  constructor(url: string) {
    this.url = url;
    FakeEventSource.opened.push(this);
  }

  addEventListener(kind: string, listener: (event: { data: string; lastEventId: string }) => void) {
    this.listeners.set(kind, listener);
  }

  close() {
    this.readyState = FakeEventSource.CLOSED;
  }

  say(kind: string, data: string, lastEventId = "") {
    this.listeners.get(kind)?.({ data, lastEventId });
  }

  refuse() {
    this.readyState = FakeEventSource.CLOSED;
    this.onerror?.();
  }
}

const latest = () => FakeEventSource.opened[FakeEventSource.opened.length - 1] as FakeEventSource;

function answer(status: number): Response {
  const problem = { code: "unavailable", detail: "the database is unavailable", title: "" };
  return new Response(JSON.stringify(status === 200 ? {} : problem), { status });
}

let status = 200;

beforeEach(() => {
  vi.useFakeTimers();
  FakeEventSource.opened = [];
  status = 200;
  vi.stubGlobal("EventSource", FakeEventSource);
  vi.stubGlobal("fetch", () => Promise.resolve(answer(status)));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("openEventStream", () => {
  const open = () => {
    const messages: string[] = [];
    const onResume = vi.fn();
    const close = openEventStream({
      url: (lastId) => `/stream?after=${lastId ?? "start"}`,
      kinds: ["servers"],
      onMessage: (_kind, data) => messages.push(data),
      onResume,
    });
    return { messages, onResume, close };
  };

  it("comes back after the last id when the server says that it stops", async () => {
    const { messages, onResume, close } = open();
    const first = latest();
    first.onopen?.();
    first.say("servers", "a", "7");
    first.say("closing", "{}", "7");
    expect(first.readyState).toBe(FakeEventSource.CLOSED);
    expect(isReconnecting()).toBe(true);

    await vi.advanceTimersByTimeAsync(1_000);
    expect(FakeEventSource.opened).toHaveLength(2);
    expect(latest().url).toBe("/stream?after=7");
    latest().onopen?.();
    expect(isReconnecting()).toBe(false);
    expect(onResume).toHaveBeenCalledOnce();
    latest().say("servers", "b", "8");
    expect(messages).toEqual(["a", "b"]);
    close();
  });

  it("opens no stream while the API answers 503, and one when it is back", async () => {
    const { close } = open();
    status = 503;
    latest().refuse();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeEventSource.opened).toHaveLength(1);
    expect(isReconnecting()).toBe(true);
    status = 200;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(FakeEventSource.opened).toHaveLength(2);
    latest().onopen?.();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(isReconnecting()).toBe(false);
    close();
  });

  it("stays closed when it was closed while the server was away", async () => {
    const { close } = open();
    latest().say("closing", "{}");
    close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeEventSource.opened).toHaveLength(1);
    expect(isReconnecting()).toBe(false);
  });
});

describe("requests", () => {
  it("say that the server is away, and tell when it is back", async () => {
    const restored = vi.fn();
    const end = whenRestored(restored);
    status = 503;
    await expect(api.get("/api/servers")).rejects.toMatchObject({ status: 503, isPassing: true });
    expect(isReconnecting()).toBe(true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(restored).not.toHaveBeenCalled();
    status = 200;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(isReconnecting()).toBe(false);
    expect(restored).toHaveBeenCalledOnce();
    end();
  });

  it("say nothing of the sort when the API refuses", async () => {
    status = 409;
    await expect(api.get("/api/servers")).rejects.toMatchObject({ isPassing: false });
    expect(isReconnecting()).toBe(false);
  });
});
