import { describe, expect, it } from "vitest";
import { NONE } from "../src/lib/format";
import { distance, local, moment, recurrence, span, utc } from "../src/lib/time";

describe("a moment", () => {
  // The suite runs in New York's zone, five hours behind UTC in winter.
  it("is shown in the reader's zone, and in UTC beside it", () => {
    expect(local("2026-01-02T03:04:05.678Z")).toBe("Jan 1, 2026, 10:04 PM");
    expect(utc("2026-01-02T03:04:05.678Z")).toBe("2026-01-02 03:04:05 UTC");
  });

  it("that is none is a dash", () => {
    expect([local(null), local("soon"), distance(undefined, 0)]).toEqual([NONE, NONE, NONE]);
    expect([utc(null), moment("")]).toEqual(["", null]);
  });

  it("is so far from now", () => {
    const now = Date.parse("2026-01-01T12:00:00Z");
    expect(distance("2026-01-01T12:05:30Z", now)).toBe("in 5 min 30 s");
    expect(distance("2025-12-30T11:00:00Z", now)).toBe("2 d 1 h ago");
  });
});

describe("a recurrence", () => {
  it("of an interval is a length of time, and of a cron expression itself", () => {
    expect(recurrence("every 0.016666666666666666m")).toBe("every 1 s");
    expect([recurrence("every 6h"), recurrence("every 1.5d")]).toEqual(["every 6 h", "every 1 d 12 h"]);
    expect([recurrence("0 */6 * * *"), recurrence(null)]).toEqual(["0 */6 * * *", NONE]);
  });
});

describe("a length of time", () => {
  it("has at most two units", () => {
    const shown = [0, 400, 999, 61_000, 3_600_000, 3_661_000, 90_000_000].map(span);
    expect(shown).toEqual(["0 s", "0 s", "1 s", "1 min 1 s", "1 h", "1 h 1 min", "1 d 1 h"]);
  });

  it("is never below zero", () => {
    expect(span(-5_000)).toBe("0 s");
  });
});
