import type { Schedule } from "../../api/types";
import { Action } from "../../components/actions";
import { Badge, Figure, Panel, ProgressBar, Time } from "../../components/basics";
import { short, whole } from "../../lib/format";
import { useNow } from "../../lib/hooks";
import { moment, recurrence, span } from "../../lib/time";
import { command, take } from "../../stores/continuous";

/** What a schedule does now, and what can be done with it. */
export function StatusPanel({ schedule }: { schedule: Schedule }) {
  return (
    <Panel title={schedule.name} aside={<Badge status={schedule.status} />}>
      <dl className="figures">
        <Figure name="Next cycle" large>
          <Countdown schedule={schedule} />
        </Figure>
        <Figure name="Cycle" large>
          {whole(schedule.running_cycle ?? schedule.queued_cycle ?? schedule.current_cycle)}
        </Figure>
      </dl>
      <Running schedule={schedule} />
      {schedule.fault && (
        <p className="bad" role="alert">
          {schedule.fault}
        </p>
      )}
      {schedule.consecutive_failures > 0 && (
        <p className="warn">
          {whole(schedule.consecutive_failures)} in a row failed since the last cycle with a verdict.
        </p>
      )}
      <dl className="figures">
        <Figure name="Market">
          {schedule.symbol ?? "–"} {schedule.timeframe}
        </Figure>
        <Figure name="Due">{recurrence(schedule.recurrence)}</Figure>
        <Figure name="Line">{schedule.line}</Figure>
        <Figure name="Last cycle">
          <Time at={schedule.last_cycle_at} />
        </Figure>
        <Figure name="Pack">{schedule.hp_pack_id ?? "–"}</Figure>
        <Figure name="Dataset">{schedule.dataset_id ?? "–"}</Figure>
        <Figure name="Continues from" title={schedule.current_checkpoint_path ?? undefined}>
          <span className="mono small">{checkpoint(schedule)}</span>
        </Figure>
      </dl>
      <Controls schedule={schedule} />
    </Panel>
  );
}

function checkpoint({ current_checkpoint_path: path }: Schedule): string {
  return short(path?.split("/").pop(), 34);
}

function Countdown({ schedule }: { schedule: Schedule }) {
  const now = useNow();
  const at = moment(schedule.next_cycle_at);
  if (schedule.running_cycle) return <>running</>;
  if (schedule.queued_cycle) return <>waits for a slot</>;
  if (at === null || schedule.status !== "active") return <>–</>;
  return <span title={schedule.next_cycle_at ?? undefined}>{at > now ? `in ${span(at - now)}` : "due"}</span>;
}

function Running({ schedule }: { schedule: Schedule }) {
  const { progress, running_cycle: running } = schedule;
  if (!running) return null;
  const done = progress?.iteration ?? 0;
  const total = progress?.total_iterations ?? 0;
  const eta = progress?.eta_seconds;
  return (
    <div className="list">
      <div className="row" style={{ justifyContent: "space-between" }}>
        <span>
          Cycle {whole(running)}: {progress?.stage ?? "starts"}
        </span>
        <span className="small soft">
          {total > 0 && `${whole(done)} of ${whole(total)}`}
          {eta ? ` · ${span(eta * 1000)} left` : ""}
        </span>
      </div>
      <ProgressBar done={done} total={total} label={`Progress of cycle ${running}`} />
      {progress?.message && <span className="small soft">{progress.message}</span>}
    </div>
  );
}

function Controls({ schedule }: { schedule: Schedule }) {
  const { schedule_id: id, status } = schedule;
  const isGoing = status === "active" || status === "paused";
  return (
    <div className="row">
      {!isGoing && <Action label="Start" kind="main" act={() => command(id, "start")} />}
      {status === "active" && <Action label="Pause" act={() => command(id, "pause")} />}
      {status === "paused" && <Action label="Resume" kind="main" act={() => command(id, "resume")} />}
      {isGoing && (
        <Action
          label="Trigger"
          disabled={!!schedule.running_cycle || !!schedule.queued_cycle}
          act={() => command(id, "trigger")}
        />
      )}
      {isGoing && (
        <Action
          label="Stop"
          kind="danger"
          confirm={
            <p>
              {schedule.name} leaves its due times
              {schedule.running_cycle
                ? `, and cycle ${schedule.running_cycle}, which runs, is cancelled`
                : ""}
              . The champion goes on trading.
            </p>
          }
          act={() => command(id, "stop")}
        />
      )}
      {!isGoing && (
        <Action
          label="Remove"
          kind="danger"
          confirm={<p>{schedule.name} is taken away. Its history stays, and its id is not given again.</p>}
          act={() => take(id)}
        />
      )}
    </div>
  );
}
