import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ModelDetail } from "../src/api/types";
import { canOverrule } from "../src/lib/decisions";
import { exported, olderActs, useActs } from "../src/stores/audit";

let asked: string[];
const ALL = Array.from({ length: 2_345 }, (_, at) => ({ seq: 2_345 - at, reason: at % 2 ? "odd" : "even" }));

function answer(url: string): unknown {
  const { searchParams } = new URL(url, "http://here");
  const before = Number(searchParams.get("before") ?? Number.POSITIVE_INFINITY);
  const search = searchParams.get("search") ?? "";
  const limit = Number(searchParams.get("limit"));
  const acts = ALL.filter((act) => act.seq < before && act.reason.includes(search)).slice(0, limit);
  return { acts, next_before: acts.length === limit ? acts.at(-1)?.seq : null };
}

beforeEach(() => {
  asked = [];
  useActs.setState({ entries: {} });
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    return new Response(JSON.stringify(answer(url)));
  });
});
afterEach(() => vi.unstubAllGlobals());

describe("acts", () => {
  it("are found by words, and older ones of the same words come behind", async () => {
    await useActs.getState().load("odd");
    await olderActs("odd");
    const rows = useActs.getState().entries.odd?.data?.rows ?? [];
    expect([rows.length, rows[0]?.seq, rows.at(-1)?.seq]).toEqual([100, 2_344, 2_146]);
    expect(asked).toEqual(["/api/audit?search=odd&limit=50", "/api/audit?search=odd&limit=50&before=2246"]);
  });

  it("are exported whole, one on a line, oldest first", async () => {
    const { text, isCut } = await exported();
    const seqs = text
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect([seqs.length, seqs[0], seqs.at(-1), isCut]).toEqual([2_345, 1, 2_345, false]);
    expect(asked.length).toBe(3);
  });
});

describe("overruling a verdict", () => {
  const detail = (change: object) =>
    ({
      model: { champion: false, status: "rejected" },
      verdict: { reason: "below_threshold" },
      declined: null,
      weights_sound: true,
      ...change,
    }) as unknown as ModelDetail;

  it("is offered for a model that a gate did not let through", () => {
    expect(canOverrule(detail({}))).toBe(true);
    expect(canOverrule(detail({ model: { champion: false, status: "evaluated" } }))).toBe(true);
  });

  it("is not where the server would refuse it", () => {
    const refused = [
      { verdict: null },
      { verdict: { reason: "mechanical" } },
      { declined: { at: "", reason: "" } },
      { weights_sound: false },
      { model: { champion: true, status: "promoted" } },
      { model: { champion: false, status: "promoted" } },
    ];
    expect(refused.map((change) => canOverrule(detail(change)))).toEqual(refused.map(() => false));
  });
});
