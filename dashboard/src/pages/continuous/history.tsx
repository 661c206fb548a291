import { Fragment, useState } from "react";
import { Link } from "wouter";
import type { Cycle, History, Loose } from "../../api/types";
import { Action } from "../../components/actions";
import { Badge, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { VerdictBox } from "../../components/verdict";
import { metric, short, whole, words } from "../../lib/format";
import { moment, span } from "../../lib/time";
import { older } from "../../stores/continuous";
import type { Entry } from "../../stores/resource";

/** The metrics of a candidate on bars that it had not seen. */
export function measured(cycle: Cycle): Loose {
  const metrics = (cycle.metrics ?? {}) as Loose;
  const candidate = metrics.candidate;
  return candidate && typeof candidate === "object" ? (candidate as Loose) : metrics;
}

const COLUMNS = ["totalReturn", "winRate", "maxDrawdown", "sharpe"];

/** Every cycle with what it measured and what became of it. */
export function HistoryPanel({ id, history }: { id: string; history: Entry<History> }) {
  return (
    <Panel title="Cycles" wide>
      <Shown entry={history}>
        {({ cycles, next_before }) =>
          cycles.length === 0 ? (
            <Empty title="No cycle yet">The first one is due as soon as the schedule is started.</Empty>
          ) : (
            <>
              <div className="scroll">
                <table className="stack">
                  <Head />
                  <tbody>
                    {cycles.map((cycle) => (
                      <Row key={cycle.cycle_number} cycle={cycle} />
                    ))}
                  </tbody>
                </table>
              </div>
              {next_before && <Action label="Older cycles" act={() => older(id)} />}
            </>
          )
        }
      </Shown>
    </Panel>
  );
}

function Head() {
  return (
    <thead>
      <tr>
        <th className="number">Cycle</th>
        <th>Due</th>
        <th>Outcome</th>
        <th>Experiment</th>
        <th className="number">Return</th>
        <th className="number">Win rate</th>
        <th className="number">Drawdown</th>
        <th className="number">Sharpe</th>
        <th>Took</th>
        <th>
          <span className="unseen">Why</span>
        </th>
      </tr>
    </thead>
  );
}

function took({ started_at, finished_at }: Cycle): string {
  const [from, to] = [moment(started_at), moment(finished_at)];
  return from === null || to === null ? "–" : span(Math.max(1000, to - from));
}

function Row({ cycle }: { cycle: Cycle }) {
  const [isOpen, setOpen] = useState(false);
  const figures = measured(cycle);
  const names = ["Return", "Win rate", "Drawdown", "Sharpe"];
  return (
    <Fragment>
      <tr>
        <td className="number" data-label="Cycle">
          {whole(cycle.cycle_number)}
        </td>
        <td data-label="Due">
          <Time at={cycle.due_at} />
        </td>
        <td data-label="Outcome">
          <span className="row">
            <Badge status={cycle.status} />
            {cycle.deployed && <Badge status="deployed" tone="calm" title="Its model became the champion" />}
          </span>
        </td>
        <td data-label="Experiment" data-empty={!cycle.experiment_id}>
          {cycle.experiment_id ? (
            <Link
              className="mono small"
              href={`/experiments/${encodeURIComponent(cycle.experiment_id)}`}
              title={cycle.experiment_id}
            >
              {short(cycle.experiment_id, 34)}
            </Link>
          ) : (
            "–"
          )}
        </td>
        {COLUMNS.map((name, at) => (
          <td
            key={name}
            className="number"
            data-label={names[at]}
            data-empty={typeof figures[name] !== "number"}
          >
            {metric(name, figures[name])}
          </td>
        ))}
        <td data-label="Took">{took(cycle)}</td>
        <td data-label="">
          <button type="button" className="is-plain" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? "Less" : "Why"}
          </button>
        </td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={10} data-label="">
            <Details cycle={cycle} />
          </td>
        </tr>
      )}
    </Fragment>
  );
}

/** Why a cycle ran, by the server's word for it. */
const TRIGGERS: Record<string, string> = {
  due: "At its due time",
  manual: "Asked for by somebody",
  catch_up: "Made up for those that were missed",
};

/** A reason in words; some are one word for programs. */
function reason(text: string): string {
  return /^[a-z_]+$/.test(text) ? words(text) : text;
}

function Details({ cycle }: { cycle: Cycle }) {
  return (
    <div className="list">
      {cycle.reason && <p>{reason(cycle.reason)}</p>}
      {cycle.verdict ? (
        <VerdictBox verdict={cycle.verdict} />
      ) : (
        !cycle.reason && <p>No gate has judged it.</p>
      )}
      <p className="small soft">
        {TRIGGERS[cycle.trigger] ?? words(cycle.trigger)}
        {cycle.window_start && (
          <>
            {" · bars from "}
            <Time at={cycle.window_start} /> to <Time at={cycle.window_end} />
          </>
        )}
        {cycle.model_id && (
          <>
            {" · model "}
            <Link className="mono" href={`/models/${encodeURIComponent(cycle.model_id)}`}>
              {cycle.model_id}
            </Link>
          </>
        )}
      </p>
    </div>
  );
}
