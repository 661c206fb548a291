import { describe, expect, it } from "vitest";
import { gauges } from "../src/lib/evidence";
import { NONE } from "../src/lib/format";
import { asked, FIRST_SETUP, wrong } from "../src/lib/setup";

const METER = {
  standing: {
    countedBars: 168,
    firstLookBars: 336,
    nextLookInBars: 168,
    closedTrades: 30,
    differingStretches: 5,
    differingBars: 40,
    recent: { p: 0.05, gap: 0.031, days: 84 },
    sequential: { bars: 100, horizonBars: 4000, z: 1.2, boundary: 2.4 },
  },
  levels: { provisionalP: 0.2, screenedP: 0.05, minTrades: 20, minStretches: 10 },
  error: { spent: 0.0001, allowed: 0.01 },
};

const of = (meter: unknown, name: string) => gauges(meter).find((gauge) => gauge.name === name);

describe("an evidence meter", () => {
  it("shows how far each figure is and where its limit lies", () => {
    expect(of(METER, "Counted bars")).toMatchObject({ value: "168", fill: 0.5 });
    const trades = of(METER, "Closed trades");
    expect(trades).toMatchObject({ value: "30", fill: 1, note: "20 are needed" });
    expect(trades?.limits).toEqual([1 / 1.5]);
    const test = of(METER, "Registered test");
    expect(test?.value).toBe("Z = 1.2");
    expect(test?.fill).toBeCloseTo(1 / 3, 10);
  });

  it("shows luck on a scale of factors: at the level it is at the level's mark", () => {
    const luck = of(METER, "Luck does as well");
    expect(luck?.fill).toBeCloseTo(luck?.limits[1] ?? 0, 10);
    expect(luck?.limits[0]).toBeLessThan(luck?.limits[1] ?? 0);
  });

  it("without figures has gauges without a fill, and no NaN", () => {
    for (const nothing of [null, undefined, {}, { standing: null, levels: 7 }]) {
      for (const gauge of gauges(nothing)) {
        expect(gauge.fill).toBeNull();
        expect(gauge.value === NONE && !gauge.note.includes("NaN")).toBe(true);
      }
    }
  });
});

describe("a setup", () => {
  it("asks for what is filled in and leaves the rest to the server", () => {
    const wanted = asked({ ...FIRST_SETUP, symbol: " ETH/USD ", interval: "0.5", window: "" });
    expect(wanted).toEqual({
      symbol: "ETH/USD",
      timeframe: "1h",
      interval_hours: 0.5,
      iterations_per_cycle: 10,
      fine_tune_lr_multiplier: 0.2,
      preset: "evidence",
      auto_deploy: true,
    });
    expect(asked({ ...FIRST_SETUP, cron: "0 * * * *" })).not.toHaveProperty("interval_hours");
  });

  it("that can't be meant is refused with the reason", () => {
    expect(wrong(FIRST_SETUP)).toBeNull();
    for (const bad of [
      { interval: "0" },
      { interval: "" },
      { interval: "soon" },
      { window: "1.5" },
      { iterations: "-1" },
      { multiplier: "2" },
    ]) {
      expect(wrong({ ...FIRST_SETUP, ...bad }), JSON.stringify(bad)).toMatch(/ha[sv]e? to be/);
    }
    expect(wrong({ ...FIRST_SETUP, interval: "", cron: "0 * * * *" })).toBeNull();
  });
});
