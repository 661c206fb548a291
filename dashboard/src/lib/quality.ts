import type { DataDetail, DataFigures } from "../api/types";
import { percent, whole } from "./format";

/** Something that a person should know about bars. */
export interface Defect {
  /** `bad` takes evidence away or can't be mended, `warn` should be looked at, `none` is how such data is. */
  tone: "bad" | "warn" | "none";
  words: string;
}

/** Above this share of missing bars a window is a poor one. */
const MUCH_MISSING = 0.01;

/** A number of bars in words. */
export const bars = (count: number) => `${whole(count)} ${count === 1 ? "bar" : "bars"}`;
const rows = (count: number) => `${whole(count)} ${count === 1 ? "row" : "rows"}`;
const is = (count: number) => (count === 1 ? "is" : "are");
const has = (count: number) => (count === 1 ? "has" : "have");

/** A sentence for each kind of defect that a stretch of bars can have, with how many bars or rows have it. */
const KINDS: [keyof DataFigures, Defect["tone"], (count: number) => string][] = [
  [
    "no_trade",
    "none",
    (n) => `${bars(n)} ${is(n)} not there because nothing traded; no order fills on them.`,
  ],
  [
    "revised",
    "warn",
    (n) => `The source has changed ${bars(n)} since they were first learnt; the newest values are used.`,
  ],
  ["zero_volume", "none", (n) => `${bars(n)} ${has(n)} no volume.`],
  ["flat", "none", (n) => `${bars(n)} ${has(n)} four prices that are the same.`],
  ["duplicates", "warn", (n) => `${rows(n)} ${is(n)} there twice; the last one counts.`],
  ["out_of_order", "warn", (n) => `${rows(n)} ${is(n)} out of order.`],
  ["rejected", "bad", (n) => `${rows(n)} ${is(n)} no bar and ${n === 1 ? "was" : "were"} refused.`],
  ["unfinished", "none", (n) => `${bars(n)} had not closed yet and ${is(n)} left out.`],
  ["outside_session", "warn", (n) => `${bars(n)} lie outside the market's sessions and ${is(n)} left out.`],
];

function missing(of: DataFigures): Defect[] {
  if (of.missing === 0 && of.missing_base_bars === 0) return [];
  const tone = of.missing_share > MUCH_MISSING ? "bad" : "warn";
  const share = percent(of.missing_share, 2);
  if (of.missing === 0)
    return [
      {
        tone,
        words: `${bars(of.missing_base_bars)} of those that these are made of are missing (${share}).`,
      },
    ];
  const longest = of.missing > 1 ? `, the longest hole has ${bars(of.longest_hole_bars)}` : "";
  const words = `${bars(of.missing)} ${is(of.missing)} missing (${share})${longest}; they count as no evidence.`;
  return [{ tone, words }];
}

/** What is wrong with a stretch of bars, the worst first; nothing where nothing is. */
export function defects(of: DataFigures): Defect[] {
  const found = KINDS.flatMap(([key, tone, say]): Defect[] => {
    const count = of[key];
    return typeof count === "number" && count > 0 ? [{ tone, words: say(count) }] : [];
  });
  const cut: Defect[] = of.unterminated_last_line
    ? [{ tone: "warn", words: "The file's last line has no end: its last number may be cut short." }]
    : [];
  const order = { bad: 0, warn: 1, none: 2 };
  return [...missing(of), ...cut, ...found].sort((a, b) => order[a.tone] - order[b.tone]);
}

/** A stretch of a coverage strip: how much of it is there, 0 to 1. */
export interface Block {
  from: string;
  /** Share of the expected bars that are not missing. */
  known: number;
  words: string;
}

/** The blocks of a coverage strip. */
export function blocks(detail: DataDetail): Block[] {
  return (detail.coverage?.stretches ?? []).map(({ from, bars: count, missing: lost, no_trade: none }) => {
    const quiet = none > 0 ? `, ${bars(none)} without a trade` : "";
    const words = `${bars(count)}, ${lost > 0 ? `${whole(lost)} missing` : "none missing"}${quiet}`;
    return { from, known: count > 0 ? 1 - lost / count : 0, words };
  });
}
