import { describe, expect, it } from "vitest";
import type { LiveBar, LiveFill, LiveSwap } from "../src/api/types";
import { drawn } from "../src/charts/prices";

const COLOURS = { good: "green", bad: "red", soft: "grey" };
const hour = (at: number) => new Date(Date.UTC(2024, 0, 1, at)).toISOString();
const time = (at: number) => Date.UTC(2024, 0, 1, at) / 1000;

const bar = (at: number, prices: Partial<LiveBar> = {}): LiveBar =>
  ({
    number: at + 1,
    open_time: hour(at),
    close: 10 + at,
    open: null,
    high: null,
    low: null,
    ...prices,
  }) as LiveBar;
const whole = (at: number) => bar(at, { open: 9 + at, high: 12 + at, low: 8 + at });
const fill = (when: string, side: string) => ({ time: when, side }) as LiveFill;
const swap = (when: string, version: number) => ({ at: when, model: { model_version: version } }) as LiveSwap;

describe("a chart of prices", () => {
  it("draws candles where rows have them, and closes where they are older", () => {
    const { candles, closes } = drawn({ bars: [bar(0), whole(1)], fills: [], swaps: [] }, COLOURS);
    expect(candles).toEqual([{ time: time(0) }, { time: time(1), open: 10, high: 13, low: 9, close: 11 }]);
    expect(closes).toEqual([{ time: time(0), value: 10 }, { time: time(1) }]);
  });

  it("marks trades and models on the bar that they fell into, on the series that draws it", () => {
    const rows = {
      bars: [bar(0), whole(1), whole(2)],
      fills: [fill("2024-01-01T01:30:00Z", "sell"), fill(hour(0), "buy")],
      swaps: [swap("2024-01-01T02:59:59Z", 2)],
    };
    const { marks } = drawn(rows, COLOURS);
    expect(marks.closes).toEqual([{ time: time(0), position: "belowBar", shape: "arrowUp", color: "green" }]);
    expect(marks.candles.map(({ time: at, shape, text }) => [at, shape, text])).toEqual([
      [time(1), "arrowDown", undefined],
      [time(2), "square", "v2"],
    ]);
  });

  it("leaves out what came before its first bar, and is empty without bars", () => {
    const early = { fills: [fill(hour(-5), "buy")], swaps: [swap(hour(-5), 1)] };
    expect(drawn({ bars: [whole(0)], ...early }, COLOURS).marks).toEqual({ candles: [], closes: [] });
    expect(drawn({ bars: [], ...early }, COLOURS)).toEqual({
      candles: [],
      closes: [],
      marks: { candles: [], closes: [] },
    });
  });

  it("has a bounded number of marks, the newest", () => {
    const fills = Array.from({ length: 5_000 }, (_, at) => fill(hour(at), at < 4_999 ? "buy" : "sell"));
    const { marks } = drawn({ bars: [whole(0)], fills, swaps: [] }, COLOURS);
    expect(marks.candles.length).toBe(400);
    expect(marks.candles.at(-1)?.shape).toBe("arrowDown");
  });
});
