import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  LineSeries,
  TickMarkType,
  type Time,
} from "lightweight-charts";
import { useCallback, useMemo } from "react";
import { price } from "../lib/format";
import { colours } from "./colours";
import { drawn, type Rows } from "./prices";
import { useCanvas } from "./useCanvas";

export interface PriceProps extends Rows {
  height?: number;
}

/** Bars of room at both ends, so that neither marks nor dates are cut; more where a bar is thin. */
const ROOM = { least: 2, share: 0.04 };

/** The range that shows all of so many bars. */
function allOf(bars: number) {
  const room = Math.max(ROOM.least, bars * ROOM.share);
  return { from: -room, to: bars - 1 + room };
}

const written = (time: Time, options: Intl.DateTimeFormatOptions) =>
  new Date((time as number) * 1000).toLocaleString(undefined, options);

/** The bars as candles, closes alone where a row has no more, with trades and changes of the model: as the journal has them. */
export default function Price({ bars, fills, swaps, height = 320 }: PriceProps) {
  const draw = useCallback(
    (element: HTMLElement, width: number) => {
      const { good, bad, soft, series } = colours();
      const chart = createChart(element, { ...look(), width, height });
      const closes = chart.addSeries(LineSeries, { color: series[0], lineWidth: 2, lastValueVisible: false });
      const sides = { upColor: good, downColor: bad, wickUpColor: good, wickDownColor: bad };
      const candles = chart.addSeries(CandlestickSeries, { ...sides, borderVisible: false });
      const marked = { candles: createSeriesMarkers(candles), closes: createSeriesMarkers(closes) };
      let known = 0;
      return {
        feed(rows: Rows) {
          const seen = chart.timeScale().getVisibleLogicalRange();
          const seesAll = known === 0 || (seen !== null && seen.from <= 0 && seen.to >= known - 1);
          const shown = drawn(rows, { good, bad, soft });
          closes.setData(shown.closes);
          candles.setData(shown.candles);
          marked.closes.setMarkers(shown.marks.closes);
          marked.candles.setMarkers(shown.marks.candles);
          // Whoever looks at a part goes on looking at it.
          if (seesAll) chart.timeScale().setVisibleLogicalRange(allOf(rows.bars.length));
          known = rows.bars.length;
        },
        resize: (to: number) => chart.resize(to, height),
        destroy: () => chart.remove(),
      };
    },
    [height],
  );
  const rows = useMemo(() => ({ bars, fills, swaps }), [bars, fills, swaps]);
  const holder = useCanvas(draw, rows);
  const label = `Price of ${bars.length} bars with ${fills.length} fills and ${swaps.length} changes of the model`;
  return (
    <figure className="plain" aria-label={label}>
      <div ref={holder} className="chart" style={{ minHeight: height }} />
      <figcaption className="small soft">
        Lightweight Charts™, © TradingView, Inc.{" "}
        <a href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
          tradingview.com
        </a>
      </figcaption>
    </figure>
  );
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
    rightPriceScale: { borderColor: line, scaleMargins: { top: 0.14, bottom: 0.1 } },
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
