import { lazy, Suspense } from "react";
import type { LinesProps } from "./lines";
import type { PriceProps } from "./price";

const Lines = lazy(() => import("./lines"));
const Price = lazy(() => import("./price"));

function Waiting({ height }: { height: number }) {
  return <div className="chart ghost" style={{ height }} />;
}

/** A chart of lines; its library is loaded when the first one is drawn. */
export function LineChart(props: LinesProps) {
  return (
    <Suspense fallback={<Waiting height={props.height ?? 240} />}>
      <Lines {...props} />
    </Suspense>
  );
}

/** A chart of prices; its library is loaded when the first one is drawn. */
export function PriceChart(props: PriceProps) {
  return (
    <Suspense fallback={<Waiting height={props.height ?? 320} />}>
      <Price {...props} />
    </Suspense>
  );
}
