import { useCallback, useMemo } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { NONE, whole } from "../lib/format";
import { colours } from "./colours";
import { useCanvas } from "./useCanvas";

/** A line of a chart. */
export interface Line {
  name: string;
  values: (number | null)[];
}

export interface LinesProps {
  /** What the lines are drawn over: seconds since 1970 where `isTime`, else whole numbers. */
  x: number[];
  lines: Line[];
  isTime?: boolean;
  xName: string;
  height?: number;
  format: (value: number) => string;
  /** What is drawn, for those who can't see it. */
  label: string;
}

/** Beside the longest mark of an axis, pixels. */
const MARK_MARGIN = 18;
/** A mark's character, pixels. */
const MARK_CHARACTER = 7;
/** Round a line that never moves, as a share of its value. */
const FLAT_MARGIN = 0.01;
/** Lines with more points are drawn without dots. */
const MOST_DOTS = 60;
/** Cycles and iterations are counted: there is nothing between two of them. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1_000_000];

/** The scale of the values; a line that never moves gets room instead of a scale down to zero. */
export function scaled(least: number | null, most: number | null): [number, number] {
  if (least === null || most === null) return [0, 1];
  const margin = least === most ? Math.max(Math.abs(most) * FLAT_MARGIN, 1e-9) : (most - least) * 0.08;
  return [least - margin, most + margin];
}

/** Where the pointer is: a moment or a number. */
function place(value: number | null, isTime: boolean): string {
  if (value === null || !isTime) return whole(value);
  return new Date(value * 1000).toLocaleString(navigator.language, {
    dateStyle: "medium",
    timeStyle: "short",
  });
}

interface Look {
  names: string[];
  isTime: boolean;
  xName: string;
  format: (value: number) => string;
}

function options({ names, isTime, xName, format }: Look, width: number, height: number): uPlot.Options {
  const { series, soft, line } = colours();
  const shown = (value: number | null | undefined) => (value == null ? NONE : format(value));
  const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const widest = (marks: string[] | null) => Math.max(4, ...(marks ?? []).map((mark) => mark.length));
  return {
    width,
    height,
    scales: { x: { time: isTime }, y: { range: (_, least, most) => scaled(least, most) } },
    axes: [
      isTime ? axis : { ...axis, incrs: WHOLE_STEPS },
      {
        ...axis,
        size: (_, marks) => MARK_MARGIN + MARK_CHARACTER * widest(marks),
        values: (_, marks) => marks.map((mark) => shown(mark)),
      },
    ],
    series: [
      { label: xName, value: (_: uPlot, value: number | null) => place(value, isTime) },
      ...names.map((label, at) => ({
        label,
        stroke: series[at % series.length],
        width: 2,
        spanGaps: true,
        points: { show: (plot: uPlot) => (plot.data[0]?.length ?? 0) <= MOST_DOTS },
        value: (_: uPlot, value: number | null) => shown(value),
      })),
    ],
  };
}

/** Lines over time or over a number, with the figures under the pointer. */
export default function Lines({ x, lines, isTime = false, xName, height = 240, format, label }: LinesProps) {
  const names = lines.map(({ name }) => name).join("\n");
  const draw = useCallback(
    (element: HTMLElement, width: number) => {
      const look = { names: names.split("\n"), isTime, xName, format };
      const plot = new uPlot(options(look, width, height), [[], ...look.names.map(() => [])], element);
      return {
        feed: (data: uPlot.AlignedData) => plot.setData(data),
        resize: (to: number) => plot.setSize({ width: to, height }),
        destroy: () => plot.destroy(),
      };
    },
    [names, isTime, xName, height, format],
  );
  const data = useMemo((): uPlot.AlignedData => [x, ...lines.map(({ values }) => values)], [x, lines]);
  const holder = useCanvas(draw, data);
  return <div ref={holder} className="chart" role="img" aria-label={label} />;
}
