import type { SeriesMarker, Time, UTCTimestamp } from "lightweight-charts";
import type { LiveBar, LiveFill, LiveSwap } from "../api/types";

/** What a chart of prices is drawn from: rows of a journal. */
export interface Rows {
  bars: LiveBar[];
  fills: LiveFill[];
  swaps: LiveSwap[];
}

/** A bar with all of its prices. */
export interface Candle {
  time: UTCTimestamp;
  open: number;
  high: number;
  low: number;
  close: number;
}

/** A close alone, as older rows have it. */
export interface Close {
  time: UTCTimestamp;
  value: number;
}

/** Nothing is drawn there by the one series, because the other one draws it. */
type Space = { time: UTCTimestamp };

export interface Drawing {
  candles: (Candle | Space)[];
  closes: (Close | Space)[];
  /** What is marked on candles, and on closes: a mark has to lie on a point of its series. */
  marks: { candles: SeriesMarker<Time>[]; closes: SeriesMarker<Time>[] };
}

/** What colours say in marks. */
export interface MarkColours {
  good: string;
  bad: string;
  soft: string;
}

/** Most trades or models that are marked each, the newest: beyond that marks hide the prices. */
const MOST_MARKS = 400;

export const seconds = (text: string) => Math.floor(Date.parse(text) / 1000) as UTCTimestamp;

function candle(bar: LiveBar, time: UTCTimestamp): Candle | null {
  const { open, high, low, close } = bar;
  if (open == null || high == null || low == null) return null;
  return { time, open, high, low, close };
}

/** The last of `times` that is not behind `at`; none where all are. */
function placeOf(times: number[], at: number): number {
  let [from, to] = [0, times.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((times[middle] ?? 0) <= at) from = middle + 1;
    else to = middle;
  }
  return from - 1;
}

function tradeMark(fill: LiveFill, time: UTCTimestamp, { good, bad }: MarkColours): SeriesMarker<Time> {
  return fill.side === "buy"
    ? { time, position: "belowBar", shape: "arrowUp", color: good }
    : { time, position: "aboveBar", shape: "arrowDown", color: bad };
}

function modelMark(swap: LiveSwap, time: UTCTimestamp, { soft }: MarkColours): SeriesMarker<Time> {
  return { time, position: "aboveBar", shape: "square", color: soft, text: `v${swap.model.model_version}` };
}

/** The rows as two series: candles where a row has them, a line of closes where it is older than that. */
export function drawn({ bars, fills, swaps }: Rows, colours: MarkColours): Drawing {
  const times = bars.map((bar) => seconds(bar.open_time));
  const all = bars.map((bar, at) => candle(bar, times[at] ?? (0 as UTCTimestamp)));
  const space = (at: number): Space => ({ time: times[at] ?? (0 as UTCTimestamp) });
  const drawing: Drawing = {
    candles: all.map((one, at) => one ?? space(at)),
    closes: bars.map((bar, at) => (all[at] ? space(at) : { ...space(at), value: bar.close })),
    marks: { candles: [], closes: [] },
  };
  const put = <T>(row: T, when: string, mark: (row: T, time: UTCTimestamp) => SeriesMarker<Time>) => {
    const at = placeOf(times, seconds(when));
    if (at < 0) return;
    drawing.marks[all[at] ? "candles" : "closes"].push(mark(row, space(at).time));
  };
  for (const fill of fills.slice(-MOST_MARKS))
    put(fill, fill.time, (row, time) => tradeMark(row, time, colours));
  for (const swap of swaps.slice(-MOST_MARKS))
    put(swap, swap.at, (row, time) => modelMark(row, time, colours));
  const byTime = (a: SeriesMarker<Time>, b: SeriesMarker<Time>) => (a.time as number) - (b.time as number);
  drawing.marks.candles.sort(byTime);
  drawing.marks.closes.sort(byTime);
  return drawing;
}
