import { describe, expect, it } from "vitest";
import {
  figure,
  flat,
  metric,
  money,
  NONE,
  percent,
  price,
  quantity,
  short,
  whole,
  words,
} from "../src/lib/format";

describe("numbers", () => {
  it("are written with separators and a fixed number of decimals", () => {
    expect(whole(1234567)).toBe("1,234,567");
    expect(money(10_000)).toBe("10,000.00");
    expect(money(12.345, true)).toBe("+12.35");
    expect(percent(0.12345)).toBe("12.3 %");
    expect(percent(-0.5, 0, true)).toBe("-50 %");
  });

  it("are a dash where there is none, and never NaN", () => {
    for (const nothing of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY, "1", {}]) {
      expect([whole(nothing), money(nothing), percent(nothing), figure(nothing), price(nothing)]).toEqual(
        Array(5).fill(NONE),
      );
    }
  });

  it("of a small price keep enough digits to tell two apart", () => {
    expect(price(64_123.5)).toBe("64,123.50");
    expect(price(0.00001234)).toBe("0.00001234");
    expect(price(0)).toBe("0.00");
  });

  it("of a quantity keep up to nine decimals and no needless zeros", () => {
    expect(quantity(0.123456789)).toBe("0.123456789");
    expect(quantity("1.50")).toBe("1.5");
  });

  it("of a metric that is a fraction are percent", () => {
    expect(metric("winRate", 0.5)).toBe("50.00 %");
    expect(metric("sharpe", 1.23456)).toBe("1.235");
  });
});

describe("settings", () => {
  it("that are nested are told by their innermost name", () => {
    expect(flat({ data: { symbol: "BTC/USD", window_bars: 8760 }, layers: [64, 64], none: null })).toEqual([
      ["symbol", "BTC/USD"],
      ["window_bars", "8760"],
      ["layers", "[64,64]"],
      ["none", "null"],
    ]);
  });
});

describe("names", () => {
  it("of metrics are words", () => {
    expect(words("maxDrawdown")).toBe("Max drawdown");
    expect(words("approx_kl")).toBe("Approx KL");
    expect(words("pnlPerTrade")).toBe("PnL per trade");
  });

  it("that are too long are cut", () => {
    expect(short("model-2026-11-22T18-56-47-669Z", 10)).toBe("model-202…");
    expect(short("short")).toBe("short");
    expect(short(null)).toBe(NONE);
  });
});
