import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { heardLive, useBook, useSessions } from "../src/stores/live";

let asked: string[];
let bars: { number: number }[];

function answer(url: string): unknown {
  const { pathname, searchParams } = new URL(url, "http://here");
  if (pathname === "/api/live/sessions/s")
    return { session_id: "s", bars: bars.length, fills: 0, swaps: 0, events: 0 };
  const kind = pathname.split("/").pop() ?? "";
  if (kind !== "bars") return { [kind]: [], next_after: null };
  const after = Number(searchParams.get("after"));
  const page = bars.filter(({ number }) => number > after).slice(0, Number(searchParams.get("limit")));
  const last = page.at(-1)?.number ?? null;
  return { bars: page, next_after: last !== null && last < bars.length ? last : null };
}

beforeEach(() => {
  asked = [];
  bars = Array.from({ length: 5_000 }, (_, at) => ({ number: at + 1 }));
  useBook.setState({ entries: {} });
  useSessions.setState({ entries: {} });
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    return new Response(JSON.stringify(answer(url)));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const numbers = () => useBook.getState().entries.s?.data?.bars.map(({ number }) => number) ?? [];

describe("the book of a session", () => {
  it("has its newest rows in order, page by page, without a hole", async () => {
    await useBook.getState().load("s");
    expect(numbers()).toEqual(Array.from({ length: 2_000 }, (_, at) => 3_001 + at));
  });

  it("asks for what is new alone, and stays bounded", async () => {
    await useBook.getState().load("s");
    asked = [];
    bars.push({ number: 5_001 }, { number: 5_002 });
    await useBook.getState().load("s");
    expect(asked.filter((url) => url.includes("/bars"))).toEqual([
      "/api/live/sessions/s/bars?after=5000&limit=1000",
    ]);
    expect([numbers().length, numbers().at(-1)]).toEqual([2_000, 5_002]);
  });

  it("is asked for once for many ticks, and not at all when it is not shown", async () => {
    vi.useFakeTimers();
    heardLive({ type: "live_bar", session_id: "s" });
    await vi.runAllTimersAsync();
    expect(asked).toEqual([]);
    useBook.setState({ entries: { s: { loading: false } } });
    for (let tick = 0; tick < 20; tick += 1) heardLive({ type: "live_bar", session_id: "s" });
    await vi.runAllTimersAsync();
    expect(asked.filter((url) => url === "/api/live/sessions/s").length).toBe(1);
  });
});
