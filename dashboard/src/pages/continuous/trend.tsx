import { useMemo, useState } from "react";
import type { History } from "../../api/types";
import { LineChart } from "../../charts";
import { Panel } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { metric, words } from "../../lib/format";
import type { Entry } from "../../stores/resource";
import { measured } from "./history";

const METRICS = ["totalReturn", "pnlPerTrade", "winRate", "maxDrawdown", "sharpe", "netPnlQuote", "trades"];

/** A metric from cycle to cycle. */
export function TrendPanel({ history }: { history: Entry<History> }) {
  const [name, setName] = useState("totalReturn");
  return (
    <Panel
      title="Metrics from cycle to cycle"
      wide
      aside={
        <select
          aria-label="Metric"
          style={{ width: "auto" }}
          value={name}
          onChange={(event) => setName(event.target.value)}
        >
          {METRICS.map((metric) => (
            <option key={metric} value={metric}>
              {words(metric)}
            </option>
          ))}
        </select>
      }
    >
      <Shown entry={history}>{(data) => <Trend history={data} name={name} />}</Shown>
    </Panel>
  );
}

function Trend({ history, name }: { history: History; name: string }) {
  const { x, lines } = useMemo(() => points(history, name), [history, name]);
  const format = useMemo(() => (value: number) => metric(name, value), [name]);
  if (x.length < 2) {
    return <Empty title="Not enough cycles">A line needs two cycles that were evaluated.</Empty>;
  }
  return (
    <LineChart
      x={x}
      lines={lines}
      xName="Cycle"
      format={format}
      label={`${words(name)} of the last cycles`}
    />
  );
}

/** The cycles that have the metric, oldest first. */
export function points(history: History, name: string) {
  const known = history.cycles
    .map((cycle) => ({ number: cycle.cycle_number, value: measured(cycle)[name] }))
    .filter((it): it is { number: number; value: number } => typeof it.value === "number")
    .reverse();
  const x = known.map(({ number }) => number);
  return { x, lines: [{ name: words(name), values: known.map(({ value }) => value) }] };
}
