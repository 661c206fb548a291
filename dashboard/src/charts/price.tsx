import {
  ColorType,
  createChart,
  createSeriesMarkers,
  LineSeries,
  type SeriesMarker,
  TickMarkType,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { useCallback, useMemo } from "react";
import type { LiveBar, LiveFill, LiveSwap } from "../api/types";
import { price } from "../lib/format";
import { colours } from "./colours";
import { useCanvas } from "./useCanvas";

interface Rows {
  bars: LiveBar[];
  fills: LiveFill[];
  swaps: LiveSwap[];
}

export interface PriceProps extends Rows {
  height?: number;
}

const seconds = (text: string) => Math.floor(Date.parse(text) / 1000) as UTCTimestamp;
const written = (time: Time, options: Intl.DateTimeFormatOptions) =>
  new Date((time as number) * 1000).toLocaleString(undefined, options);

/** The bar that a moment falls into: a mark has to lie on a point of the line. */
function barAt(times: UTCTimestamp[], at: UTCTimestamp): UTCTimestamp | undefined {
  let found: UTCTimestamp | undefined;
  for (const time of times) {
    if (time > at) break;
    found = time;
  }
  return found ?? times[0];
}

function marks({ bars, fills, swaps }: Rows): SeriesMarker<Time>[] {
  const { good, bad, soft } = colours();
  const times = bars.map((bar) => seconds(bar.open_time));
  const first = times[0];
  if (first === undefined) return [];
  const shown = <T,>(rows: T[], when: (row: T) => string) =>
    rows.map((row) => ({ row, at: seconds(when(row)) })).filter(({ at }) => at >= first);
  const trades = shown(fills, (fill) => fill.time).map(({ row, at }): SeriesMarker<Time> => {
    const isBuy = row.side === "buy";
    return {
      time: barAt(times, at) ?? first,
      position: isBuy ? "belowBar" : "aboveBar",
      shape: isBuy ? "arrowUp" : "arrowDown",
      color: isBuy ? good : bad,
    };
  });
  const models = shown(swaps, (swap) => swap.at).map(
    ({ row, at }): SeriesMarker<Time> => ({
      time: barAt(times, at) ?? first,
      position: "aboveBar",
      shape: "square",
      color: soft,
      text: `v${row.model.model_version}`,
    }),
  );
  return [...trades, ...models].sort((a, b) => (a.time as number) - (b.time as number));
}

/** The close of each bar, with trades and changes of the model marked: all as the journal has them. */
export default function Price({ bars, fills, swaps, height = 320 }: PriceProps) {
  const draw = useCallback(
    (element: HTMLElement, width: number) => {
      const chart = createChart(element, { ...look(), width, height });
      const prices = chart.addSeries(LineSeries, { color: colours().series[0], lineWidth: 2 });
      const marked = createSeriesMarkers(prices);
      let isFirst = true;
      return {
        feed(rows: Rows) {
          prices.setData(rows.bars.map((bar) => ({ time: seconds(bar.open_time), value: bar.close })));
          marked.setMarkers(marks(rows));
          if (isFirst) chart.timeScale().fitContent();
          isFirst = false;
        },
        resize: (to: number) => chart.resize(to, height),
        destroy: () => chart.remove(),
      };
    },
    [height],
  );
  const rows = useMemo(() => ({ bars, fills, swaps }), [bars, fills, swaps]);
  const holder = useCanvas(draw, rows);
  const label = `Price with ${fills.length} fills and ${swaps.length} changes of the model`;
  return <div ref={holder} className="chart" style={{ minHeight: height }} role="img" aria-label={label} />;
}

/** The chart in the page's colours and the reader's zone. */
function look() {
  const { soft, line } = colours();
  const day: Intl.DateTimeFormatOptions = { month: "short", day: "numeric" };
  const minute: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
  return {
    layout: {
      background: { type: ColorType.Solid, color: "transparent" },
      textColor: soft,
      attributionLogo: true,
    },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line },
    localization: {
      priceFormatter: price,
      timeFormatter: (time: Time) => written(time, { dateStyle: "medium", timeStyle: "short" }),
    },
    timeScale: {
      borderColor: line,
      timeVisible: true,
      tickMarkFormatter: (time: Time, kind: TickMarkType) =>
        written(time, kind <= TickMarkType.DayOfMonth ? day : minute),
    },
  };
}
