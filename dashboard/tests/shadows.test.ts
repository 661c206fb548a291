import { describe, expect, it } from "vitest";
import { evidenceOf, inOrder, ruleGauge } from "../src/lib/shadows";

describe("a rule of the watch", () => {
  it("is drawn with its limit where one sees that it is passed", () => {
    const gauge = ruleGauge({ rule: "evidence", value: 10, limit: 20 });
    expect(gauge.value).toBe("E = 10");
    expect(gauge.fill).toBeCloseTo(1 / 3, 10);
    expect(gauge.limits).toEqual([1 / 1.5]);
    expect(ruleGauge({ rule: "evidence", value: 400, limit: 20 }).fill).toBe(1);
  });

  it("comes after the evidence, and one that nobody knows is the last", () => {
    const rules = ["new", "errors", "evidence"].map((rule) => ({ rule, value: 0, limit: 1 }));
    expect(inOrder(rules).map(({ rule }) => rule)).toEqual(["evidence", "errors", "new"]);
  });

  it("that is off has neither fill nor limit, and says so", () => {
    const gauge = ruleGauge({ rule: "drawdown", value: 0.01, limit: null });
    expect([gauge.value, gauge.fill, gauge.limits.length]).toEqual(["1.0 %", null, 0]);
    expect(gauge.note).toContain("off");
  });
});

describe("the evidence of a challenger", () => {
  const arms = [
    { arm: "a", grade: null, sentence: "It is early.", judged: { grading: { meter: { x: 1 } } } },
  ];

  it("is that of its arm", () => {
    expect(evidenceOf(arms, "a")).toEqual({ grade: null, sentence: "It is early.", meter: { x: 1 } });
    expect(evidenceOf([{ arm: "a" }], "a")).toEqual({ grade: null, sentence: null, meter: null });
  });

  it("is nothing before it is known", () => {
    expect([evidenceOf(undefined, "a"), evidenceOf(arms, "b")]).toEqual([null, null]);
  });
});
