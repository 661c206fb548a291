import { describe, expect, it } from "vitest";
import type { LiveEvent, LiveFill } from "../src/api/types";
import { eventWords, fee } from "../src/pages/paper/book";

const fill = (taken: number, cash: number) => ({ fee_quantity: taken, fee_cash: cash }) as LiveFill;

describe("a fee", () => {
  it("says what it was taken in", () => {
    expect(fee(fill(0.000915, 0), "BTC/USD")).toBe("0.000915 BTC");
    expect(fee(fill(0, 26.281), "BTC/USD")).toBe("26.28 USD");
  });

  it("of a market without a quote currency names none", () => {
    expect(fee(fill(0, 1), "AAPL")).toBe("1.00");
  });
});

describe("the words of an event", () => {
  it("are its reason, or else what it tells", () => {
    const event = (details: object) => ({ details }) as LiveEvent;
    expect(eventWords(event({ reason: "the feed is late", n: 1 }))).toBe("the feed is late");
    expect(eventWords(event({ n: 1, nothing: null, deep: {} }))).toBe("n 1");
  });
});
