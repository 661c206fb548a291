import { describe, expect, it } from "vitest";
import type { DataDetail, DataFigures } from "../src/api/types";
import { blocks, defects } from "../src/lib/quality";

const SOUND: DataFigures = {
  rows: 100,
  first_bar: null,
  last_bar: null,
  missing: 0,
  missing_share: 0,
  longest_hole_bars: 0,
  no_trade: 0,
  revised: 0,
  zero_volume: 0,
  flat: 0,
  duplicates: 0,
  out_of_order: 0,
  rejected: 0,
  unfinished: 0,
  outside_session: 0,
  unterminated_last_line: false,
  missing_base_bars: 0,
  expected_base_bars: 0,
};

const said = (figures: Partial<DataFigures>) => defects({ ...SOUND, ...figures });

describe("defects of bars", () => {
  it("are none where nothing is wrong", () => {
    expect(said({})).toEqual([]);
  });

  it("are said in words, the worst first", () => {
    const found = said({ no_trade: 1, duplicates: 2, rejected: 3 });
    expect(found.map(({ tone }) => tone)).toEqual(["bad", "warn", "none"]);
    expect(found[0]?.words).toBe("3 rows are no bar and were refused.");
    expect(found[2]?.words).toMatch(/^1 bar is not there/);
  });

  it("are worse the more bars are missing", () => {
    const few = said({ missing: 1, missing_share: 0.001, longest_hole_bars: 1 })[0];
    expect(few).toMatchObject({ tone: "warn" });
    expect(few?.words).toBe("1 bar is missing (0.10 %); they count as no evidence.");
    const many = said({ missing: 14, missing_share: 0.2, longest_hole_bars: 11 })[0];
    expect(many).toMatchObject({ tone: "bad" });
    expect(many?.words).toContain("the longest hole has 11 bars");
  });

  it("tell shorter bars that are missing inside whole ones, and a file that is cut short", () => {
    const found = said({ missing_base_bars: 5, missing_share: 0.005, unterminated_last_line: true });
    expect(found.map(({ tone }) => tone)).toEqual(["warn", "warn"]);
  });
});

describe("a coverage strip", () => {
  it("is as high as a stretch is whole", () => {
    const stretches = [
      { from: "a", bars: 4, missing: 1, no_trade: 0 },
      { from: "b", bars: 4, missing: 0, no_trade: 2 },
      { from: "c", bars: 4, missing: 4, no_trade: 0 },
    ];
    const found = blocks({ coverage: { stretches, holes: [], hole_count: 1 } } as unknown as DataDetail);
    expect(found.map(({ known }) => known)).toEqual([0.75, 1, 0]);
    expect(found[1]?.words).toBe("4 bars, none missing, 2 bars without a trade");
  });

  it("is empty where it was not kept", () => {
    expect(blocks({ coverage: null } as unknown as DataDetail)).toEqual([]);
  });
});
