import { describe, expect, it } from "vitest";
import { extended, joined, type Page, paged } from "../src/stores/paged";

const page = (rows: number[], next: number | null): Page<number> => ({ rows, next });
const same = (row: number) => row;

describe("a list whose first page is read again", () => {
  it("keeps the rows behind it", () => {
    expect(joined(page([5, 4, 3, 2], 2), page([6, 5, 4], 4), same)).toEqual(page([6, 5, 4, 3, 2], 2));
  });

  it("forgets them where there may be rows between", () => {
    expect(joined(page([5, 4, 3], 3), page([9, 8, 7], 7), same)).toEqual(page([9, 8, 7], 7));
  });

  it("forgets what was taken away, and is the page alone where that is all", () => {
    expect(joined(page([5, 4, 3, 2], 2), page([5, 3], 3), same)).toEqual(page([5, 3, 2], 2));
    expect(joined(page([5, 4], 4), page([5], null), same)).toEqual(page([5], null));
    expect(joined(undefined, page([], null), same)).toEqual(page([], null));
  });
});

describe("older rows", () => {
  it("come behind those that are known, each once, up to a bound", () => {
    expect(extended(page([5, 4], 4), page([4, 3], 3), same)).toEqual(page([5, 4, 3], 3));
    const many = Array.from({ length: 2_000 }, (_, at) => 10_000 - at);
    const full = extended(page(many, 1), page([2, 1], 1), same);
    expect([full.rows.length, full.next]).toEqual([2_000, null]);
  });

  it("are asked for from where the list ends, until it has ended", async () => {
    const asked: (string | number | undefined)[] = [];
    const all = [9, 8, 7, 6, 5];
    const { list, older } = paged<number>(async (_, before) => {
      asked.push(before);
      const rest = all.filter((row) => before === undefined || row < Number(before)).slice(0, 2);
      return page(rest, rest.length === 2 ? (rest[1] ?? null) : null);
    }, same);
    await list.getState().load("");
    await older("");
    await older("");
    await older("");
    expect(list.getState().entries[""]?.data).toEqual(page(all, null));
    expect(asked).toEqual([undefined, 8, 6]);
  });
});
