import { useEffect, useMemo, useState } from "react";
import { Link, useLocation } from "wouter";
import type { Experiment, Iteration, Loose, Trade } from "../../api/types";
import { LineChart } from "../../charts";
import { Action } from "../../components/actions";
import { Badge, Figure, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { figure, metric, money, percent, whole, words } from "../../lib/format";
import { useLoaded, useTitle } from "../../lib/hooks";
import { cancel, forget, useExperiment, useIterations, useTrades } from "../../stores/experiments";

/** One training: what its iterations measured, and what its model then did on bars that it had not seen. */
export default function ExperimentPage({ params }: { params: { id: string } }) {
  const id = decodeURIComponent(params.id);
  useTitle(id);
  const entry = useLoaded(useExperiment, id);
  return (
    <Shown entry={entry} lines={6} again={() => void useExperiment.getState().load(id)}>
      {(experiment) => (
        <>
          <Head experiment={experiment} />
          <div className="grid">
            <Summary experiment={experiment} />
            <Metrics metrics={experiment.final_metrics} />
            <Curves id={id} isUnderWay={isUnderWay(experiment)} />
            {experiment.model_id && <Trades id={id} />}
            <Panel title="Made with" wide>
              <details>
                <summary>Its whole configuration</summary>
                <pre className="mono small" style={{ overflowX: "auto" }}>
                  {JSON.stringify(experiment.config, null, 2)}
                </pre>
              </details>
            </Panel>
          </div>
        </>
      )}
    </Shown>
  );
}

const isUnderWay = ({ status }: Experiment) => status === "running" || status === "pending";

function Head({ experiment }: { experiment: Experiment }) {
  const [, go] = useLocation();
  const id = experiment.experiment_id;
  return (
    <div className="head">
      <div>
        <Link href="/experiments" className="small">
          Experiments
        </Link>
        <h1 style={{ overflowWrap: "anywhere" }}>{experiment.name || id}</h1>
      </div>
      <div className="row">
        <Badge status={experiment.status} />
        {isUnderWay(experiment) && !experiment.schedule_id && (
          <Action
            label="Cancel"
            kind="danger"
            confirm={<p>The training ends without a model.</p>}
            act={() => cancel(id)}
          />
        )}
        {!isUnderWay(experiment) && (
          <Action
            label="Delete"
            kind="danger"
            confirm={<p>The record of this training is taken away for good. Its model stays.</p>}
            act={async () => {
              await forget(id);
              go("/experiments");
            }}
          />
        )}
      </div>
    </div>
  );
}

function Summary({ experiment }: { experiment: Experiment }) {
  return (
    <Panel title="Training">
      {experiment.error && (
        <p className="bad" role="alert">
          {experiment.error}
        </p>
      )}
      <dl className="figures">
        <Figure name="Line">{experiment.line}</Figure>
        <Figure name="Asked for by">
          {experiment.cycle_number
            ? `${experiment.schedule_id}, cycle ${experiment.cycle_number}`
            : experiment.script}
        </Figure>
        <Figure name="Began">
          <Time at={experiment.started_at} />
        </Figure>
        <Figure name="Ended">
          <Time at={experiment.completed_at} />
        </Figure>
        {experiment.model_id && (
          <Figure name="Model">
            <Link className="mono small" href={`/models/${encodeURIComponent(experiment.model_id)}`}>
              {experiment.model_id}
            </Link>
          </Figure>
        )}
      </dl>
      {experiment.tags.length > 0 && (
        <div className="row">
          {experiment.tags.map((tag) => (
            <Badge key={tag} status={tag} tone="none" />
          ))}
        </div>
      )}
    </Panel>
  );
}

const FIRST = [
  "totalReturn",
  "winRate",
  "maxDrawdown",
  "pnlPerTrade",
  "sharpe",
  "trades",
  "exposure",
  "feesQuote",
];

/** What was measured of the model: the figures that matter first. */
export function Metrics({ metrics, title = "Result" }: { metrics: Loose; title?: string }) {
  const candidate = metrics.candidate;
  const all = (candidate && typeof candidate === "object" ? candidate : metrics) as Loose;
  const known = Object.keys(all).filter((name) => typeof all[name] === "number");
  const first = FIRST.filter((name) => known.includes(name));
  const rest = known.filter((name) => !first.includes(name));
  if (known.length === 0) {
    return (
      <Panel title={title}>
        <Empty title="Nothing measured yet">Figures are here when its evaluation has ended.</Empty>
      </Panel>
    );
  }
  const list = (names: string[]) => (
    <dl className="figures">
      {names.map((name) => (
        <Figure key={name} name={words(name)}>
          {metric(name, all[name])}
        </Figure>
      ))}
    </dl>
  );
  return (
    <Panel title={title}>
      {list(first.length > 0 ? first : rest)}
      {first.length > 0 && rest.length > 0 && (
        <details>
          <summary>{whole(rest.length)} more figures</summary>
          {list(rest)}
        </details>
      )}
    </Panel>
  );
}

/** How often the curves of a training that runs are asked for, ms: no message tells of its iterations. */
const CURVES_MS = 2_000;

function Curves({ id, isUnderWay }: { id: string; isUnderWay: boolean }) {
  const entry = useLoaded(useIterations, id);
  useEffect(() => {
    if (!isUnderWay) return;
    const timer = setInterval(() => void useIterations.getState().load(id), CURVES_MS);
    return () => clearInterval(timer);
  }, [id, isUnderWay]);
  const [name, setName] = useState("");
  const names = useMemo(() => namesOf(entry.data ?? []), [entry.data]);
  const chosen = names.includes(name) ? name : (PREFERRED.find((it) => names.includes(it)) ?? names[0] ?? "");
  return (
    <Panel
      title="Curves"
      wide
      aside={
        names.length > 0 && (
          <select
            aria-label="Figure"
            style={{ width: "auto" }}
            value={chosen}
            onChange={(event) => setName(event.target.value)}
          >
            {names.map((it) => (
              <option key={it} value={it}>
                {words(it)}
              </option>
            ))}
          </select>
        )
      }
    >
      <Shown entry={entry}>{(data) => <Curve iterations={data} name={chosen} />}</Shown>
    </Panel>
  );
}

const PREFERRED = ["mean_reward", "episode_return", "loss"];

/** The figures that the iterations have, by name. */
export function namesOf(iterations: Iteration[]): string[] {
  const names = new Set<string>();
  for (const { metrics } of iterations) {
    for (const [name, value] of Object.entries(metrics)) if (typeof value === "number") names.add(name);
  }
  return [...names].sort();
}

function Curve({ iterations, name }: { iterations: Iteration[]; name: string }) {
  const { x, lines } = useMemo(() => {
    const value = (metrics: Loose) => (typeof metrics[name] === "number" ? (metrics[name] as number) : null);
    return {
      x: iterations.map(({ iteration }) => iteration),
      lines: [{ name: words(name), values: iterations.map(({ metrics }) => value(metrics)) }],
    };
  }, [iterations, name]);
  if (x.length === 0) return <Empty title="No iteration yet">Each one adds a point when it has ended.</Empty>;
  return (
    <LineChart
      x={x}
      lines={lines}
      xName="Iteration"
      format={figure}
      label={`${words(name)} of each iteration`}
    />
  );
}

/** Newest trades of the table. */
const ROWS = 100;

function Trades({ id }: { id: string }) {
  const entry = useLoaded(useTrades, id);
  return (
    <Panel title="Trades on the bars that judged it" wide>
      <Shown entry={entry}>
        {(trades) =>
          trades.length === 0 ? (
            <Empty title="No trade">It closed none, or its evaluation is gone.</Empty>
          ) : (
            <TradeTable trades={trades.slice(-ROWS)} />
          )
        }
      </Shown>
    </Panel>
  );
}

function TradeTable({ trades }: { trades: Trade[] }) {
  return (
    <div className="scroll">
      <table className="stack">
        <thead>
          <tr>
            <th className="number">Trade</th>
            <th>Opened</th>
            <th>Closed</th>
            <th className="number">Went in</th>
            <th className="number">Profit</th>
            <th className="number">Return</th>
          </tr>
        </thead>
        <tbody>
          {trades.map((trade) => (
            <tr key={trade.number}>
              <td data-label="Trade" className="number">
                {whole(trade.number)}
              </td>
              <td data-label="Opened">
                <Time at={trade.opened_at} />
              </td>
              <td data-label="Closed">
                <Time at={trade.closed_at} />
              </td>
              <td data-label="Went in" className="number">
                {money(trade.entry_notional)}
              </td>
              <td data-label="Profit" className={`number ${trade.pnl < 0 ? "bad" : "good"}`}>
                {money(trade.pnl, true)}
              </td>
              <td data-label="Return" className="number">
                {percent(trade.return_on_entry, 2, true)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
