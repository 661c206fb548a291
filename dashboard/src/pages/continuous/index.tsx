import { useState } from "react";
import { Empty, Shown } from "../../components/states";
import { useLoaded, useTitle } from "../../lib/hooks";
import { ALL, shown, useChosen, useHistory, useSchedules } from "../../stores/continuous";
import { EvidencePanel } from "./evidence";
import { HistoryPanel } from "./history";
import { SetupPanel } from "./setup";
import { StatusPanel } from "./status";
import { TrendPanel } from "./trend";

/** Continuous training: what it does now, what came of it, and how to start and stop it. */
export function ContinuousPage() {
  useTitle("Continuous");
  const entry = useLoaded(useSchedules, ALL);
  const { id: chosen, choose } = useChosen();
  const [isNew, setNew] = useState(false);
  const all = entry.data?.filter((it) => it.status !== "removed") ?? [];
  const schedule = shown(entry.data, chosen);
  const history = useLoaded(useHistory, schedule?.schedule_id ?? null);
  const isEmpty = entry.data !== undefined && all.length === 0;
  return (
    <>
      <div className="head">
        <h1>Continuous training</h1>
        <div className="row">
          {all.length > 1 && (
            <select
              aria-label="Schedule"
              style={{ width: "auto" }}
              value={schedule?.schedule_id}
              onChange={(event) => choose(event.target.value)}
            >
              {all.map((it) => (
                <option key={it.schedule_id} value={it.schedule_id}>
                  {it.name} ({it.status})
                </option>
              ))}
            </select>
          )}
          {!isEmpty && (
            <button type="button" aria-expanded={isNew} onClick={() => setNew(!isNew)}>
              {isNew ? "Close" : "New schedule"}
            </button>
          )}
        </div>
      </div>
      {(isNew || isEmpty) && <SetupPanel done={() => setNew(false)} />}
      <Shown entry={entry} lines={6} again={() => void useSchedules.getState().load(ALL)}>
        {() =>
          schedule ? (
            <div className="grid">
              <StatusPanel schedule={schedule} />
              <EvidencePanel line={schedule.line} newest={history.data?.cycles} />
              <TrendPanel history={history} />
              <HistoryPanel id={schedule.schedule_id} history={history} />
            </div>
          ) : (
            <Empty title="No schedule yet">
              A schedule trains the model again and again on the newest bars. Make the first one above.
            </Empty>
          )
        }
      </Shown>
    </>
  );
}
