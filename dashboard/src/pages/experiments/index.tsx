import { useState } from "react";
import { Link } from "wouter";
import type { Experiment } from "../../api/types";
import { Badge, Panel, Time } from "../../components/basics";
import { Older } from "../../components/older";
import { Empty, Shown } from "../../components/states";
import { short } from "../../lib/format";
import { useLoaded, useTitle } from "../../lib/hooks";
import { moment, span } from "../../lib/time";
import { olderExperiments, useExperiments } from "../../stores/experiments";
import { LaunchPanel } from "./launch";

const STATUSES = ["", "running", "completed", "failed", "cancelled", "interrupted"];

/** Every training: those of schedules and those that somebody asked for. */
export default function ExperimentsPage() {
  useTitle("Experiments");
  const [status, setStatus] = useState("");
  const [isNew, setNew] = useState(false);
  const entry = useLoaded(useExperiments, status);
  return (
    <>
      <div className="head">
        <h1>Experiments</h1>
        <div className="row">
          <select
            aria-label="Status"
            style={{ width: "auto" }}
            value={status}
            onChange={(event) => setStatus(event.target.value)}
          >
            {STATUSES.map((it) => (
              <option key={it} value={it}>
                {it || "every status"}
              </option>
            ))}
          </select>
          <button type="button" aria-expanded={isNew} onClick={() => setNew(!isNew)}>
            {isNew ? "Close" : "New training"}
          </button>
        </div>
      </div>
      {isNew && <LaunchPanel />}
      <Panel title="Trainings">
        <Shown entry={entry} lines={6} again={() => void useExperiments.getState().load(status)}>
          {(page) =>
            page.rows.length === 0 ? (
              <Empty title={status ? `No training is ${status}` : "No training yet"}>
                Each cycle of a schedule is one, and so is a training that you start here.
              </Empty>
            ) : (
              <>
                <List experiments={page.rows} />
                <Older page={page} more={() => olderExperiments(status)} />
              </>
            )
          }
        </Shown>
      </Panel>
    </>
  );
}

function took({ started_at, completed_at }: Experiment): string {
  const [from, to] = [moment(started_at), moment(completed_at)];
  return from === null || to === null ? "–" : span(Math.max(1000, to - from));
}

function List({ experiments }: { experiments: Experiment[] }) {
  return (
    <div className="scroll">
      <table className="stack">
        <thead>
          <tr>
            <th>Name</th>
            <th>Status</th>
            <th>Line</th>
            <th>From</th>
            <th>Made</th>
            <th>Took</th>
            <th>Model</th>
          </tr>
        </thead>
        <tbody>
          {experiments.map((it) => (
            <tr key={it.experiment_id}>
              <td data-label="Name">
                <Link href={`/experiments/${encodeURIComponent(it.experiment_id)}`} title={it.experiment_id}>
                  {short(it.name || it.experiment_id, 40)}
                </Link>
              </td>
              <td data-label="Status">
                <Badge status={it.status} />
              </td>
              <td data-label="Line">{it.line}</td>
              <td data-label="From">{it.schedule_id ?? it.script}</td>
              <td data-label="Made">
                <Time at={it.created_at} />
              </td>
              <td data-label="Took">{took(it)}</td>
              <td data-label="Model">
                {it.model_id ? (
                  <Link
                    className="mono small"
                    href={`/models/${encodeURIComponent(it.model_id)}`}
                    title={it.model_id}
                  >
                    {short(it.model_id, 34)}
                  </Link>
                ) : (
                  "–"
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
