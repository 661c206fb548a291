import { beforeEach, describe, expect, it } from "vitest";
import { FIRST_WAIT_MS, LONGEST_WAIT_MS, waitBefore } from "../src/lib/backoff";
import type { Message } from "../src/ws/messages";
import { LiveSocket } from "../src/ws/socket";

class FakeSocket {
  sent: Record<string, unknown>[] = [];
  isClosed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.isClosed = true;
    this.onclose?.({ code: 1006 });
  }
  hear(...messages: Record<string, unknown>[]) {
    this.onmessage?.({ data: JSON.stringify(messages) });
  }
}

let sockets: FakeSocket[];
let told: string[];
let heard: Message[];
let timers: { work: () => void; ms: number }[];
let socket: LiveSocket;
let token: string | null;

const last = () => sockets[sockets.length - 1] as FakeSocket;
/** The only timer goes off. */
const pass = () => timers.pop()?.work();

beforeEach(() => {
  sockets = [];
  told = [];
  heard = [];
  timers = [];
  token = "secret";
  const parts = {
    open: () => {
      sockets.push(new FakeSocket());
      return last() as unknown as WebSocket;
    },
    token: () => token,
    random: () => 1,
    now: () => 1_000,
    later: (work: () => void, ms: number) => {
      const timer = { work, ms };
      timers.push(timer);
      return () => {
        timers = timers.filter((it) => it !== timer);
      };
    },
  };
  socket = new LiveSocket(parts, {
    connecting: () => told.push("connecting"),
    welcomed: () => told.push("welcomed"),
    message: (message) => heard.push(message),
    lost: (at) => told.push(`lost until ${at}`),
    refused: () => told.push("refused"),
  });
});

describe("a connection", () => {
  it("shows its token first, and no number before it has heard one", () => {
    socket.retry();
    last().onopen?.();
    expect(last().sent).toEqual([{ type: "hello", token: "secret" }]);
    last().hear({ type: "welcome", seq: 41 });
    expect(told).toEqual(["connecting", "welcomed"]);
    expect(socket.seq).toBe(41);
  });

  it("has no token where the server needs none", () => {
    token = null;
    socket.retry();
    last().onopen?.();
    expect(last().sent).toEqual([{ type: "hello" }]);
  });

  it("comes back behind the last state change, not behind a tick that ran ahead of it", () => {
    socket.retry();
    last().onopen?.();
    last().hear({ type: "welcome", seq: 5 }, { type: "continuous_cycle_start", seq: 6 });
    last().hear({ type: "live_bar", seq: 9, volatile: true });
    last().close();
    pass();
    last().onopen?.();
    expect(last().sent).toEqual([{ type: "hello", token: "secret", after: 6 }]);
    // The welcome names the newest one; those between are replayed after it.
    last().hear({ type: "welcome", seq: 9 });
    expect(socket.seq).toBe(6);
    last().hear({ type: "model_promoted", seq: 7 });
    expect(socket.seq).toBe(7);
  });

  it("starts over at the number of a snapshot, also after the server was set up anew", () => {
    socket.retry();
    last().hear({ type: "welcome", seq: 900 }, { type: "snapshot", seq: 3, schedules: [] });
    expect(socket.seq).toBe(3);
  });

  it("waits longer and longer, and not at all again once it was welcomed", () => {
    const waits = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      if (attempt === 0) socket.retry();
      last().close();
      waits.push(timers[0]?.ms);
      pass();
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000]);
    last().hear({ type: "welcome", seq: 1 });
    last().close();
    expect(timers[0]?.ms).toBe(500);
  });

  it("that opens and is not welcomed is given up and tried again", () => {
    socket.retry();
    const first = last();
    pass();
    expect(first.isClosed).toBe(true);
    expect(told.at(-1)).toBe("lost until 1500");
  });

  it("does not try again with a token that was refused, and does with a new one", () => {
    socket.retry();
    last().onclose?.({ code: 4401 });
    expect([told.at(-1), timers.length]).toEqual(["refused", 0]);
    token = "another";
    socket.retry();
    last().onopen?.();
    expect(last().sent).toEqual([{ type: "hello", token: "another" }]);
  });

  it("that was replaced is not listened to any more", () => {
    socket.retry();
    const old = last();
    const late = old.onmessage;
    socket.retry();
    late?.({ data: JSON.stringify({ type: "late", seq: 99 }) });
    expect([heard, socket.seq, old.isClosed]).toEqual([[], null, true]);
  });

  it("passes over what is no message", () => {
    socket.retry();
    for (const data of ["", "no", "null", "7", '["a", null, {"seq": 1}]']) last().onmessage?.({ data });
    expect(heard).toEqual([]);
  });
});

describe("the wait before a try", () => {
  it("grows from the first to the longest and is spread over its upper half", () => {
    expect([waitBefore(1, 1), waitBefore(1, 0)]).toEqual([FIRST_WAIT_MS, FIRST_WAIT_MS / 2]);
    for (const many of [10, 1_000]) expect(waitBefore(many, 1)).toBe(LONGEST_WAIT_MS);
  });
});
