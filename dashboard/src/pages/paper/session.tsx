import { Link } from "wouter";
import type { Session } from "../../api/types";
import { Action } from "../../components/actions";
import { Ago, Figure, Panel, Time } from "../../components/basics";
import { money, percent, quantity, short, whole } from "../../lib/format";
import { tell } from "../../stores/live";
import { SessionBadges } from ".";

/** A session as it stands, and what it can be told. */
export function SessionPanel({ session }: { session: Session }) {
  const now = session.status ?? session;
  const model = session.status?.model ?? session.model;
  const gain = session.initial_cash ? now.equity / session.initial_cash - 1 : null;
  return (
    <Panel
      title={`${session.symbol} ${session.timeframe}`}
      aside={<SessionBadges running={session.running} mode={now.mode} />}
    >
      <dl className="figures">
        <Figure name="Equity" large>
          {money(now.equity)}
        </Figure>
        <Figure name="Since the start" large>
          <span className={tone(gain)}>{percent(gain, 2, true)}</span>
        </Figure>
        <Figure name="Model version" large>
          {model ? `v${model.model_version}` : "none"}
        </Figure>
      </dl>
      <dl className="figures">
        <Figure name="Position">{quantity(now.position)}</Figure>
        <Figure name="Cash">{money(now.cash)}</Figure>
        <Figure name="Largest drawdown">{percent(session.max_drawdown, 2)}</Figure>
        <Figure name="Fees">{money(session.fees)}</Figure>
        <Figure name="Bars">
          {whole(now.bars)}
          {now.missed > 0 && <span className="warn"> ({whole(now.missed)} missed)</span>}
        </Figure>
        <Figure name="Last bar">
          <Ago at={now.last_bar} />
        </Figure>
        <Figure name="Line">{session.line}</Figure>
        <Figure name="Venue">{session.venue}</Figure>
        <Figure name="Started">
          <Time at={session.started_at} />
        </Figure>
        {model && (
          <Figure name="Model" title={model.model_id}>
            <Link className="mono small" href={`/models/${encodeURIComponent(model.model_id)}`}>
              {short(model.model_id, 34)}
            </Link>
          </Figure>
        )}
      </dl>
      <Notes session={session} />
      {session.running && <Commands session={session} />}
    </Panel>
  );
}

/** The colour of a gain: none where it is nothing. */
function tone(gain: number | null): string | undefined {
  return gain ? (gain < 0 ? "bad" : "good") : undefined;
}

function Notes({ session }: { session: Session }) {
  const { status } = session;
  return (
    <>
      {status?.restriction && (
        <p className="warn" role="alert">
          {status.restriction.reason} (since <Time at={status.restriction.since} />)
        </p>
      )}
      {status && !status.is_feed_up && (
        <p className="bad" role="alert">
          No bars come.
        </p>
      )}
      {status && status.open_orders > 0 && (
        <p className="warn">{whole(status.open_orders)} orders whose end is not known.</p>
      )}
      {!session.running && (
        <p className="soft">
          Ended <Time at={session.ended_at} />
          {isOfThePast(session) && " by the time of its bars"}
          {session.end_reason && `: ${session.end_reason}`}
        </p>
      )}
    </>
  );
}

/** Whether it traded bars of a time before it began: made-up ones, or those of a file. */
function isOfThePast({ started_at, ended_at }: Session): boolean {
  return ended_at != null && ended_at < started_at;
}

function Commands({ session }: { session: Session }) {
  const id = session.session_id;
  const mode = session.status?.mode ?? session.mode;
  const needs = session.status?.restriction?.needs_acknowledgement ?? false;
  return (
    <div className="row">
      {mode === "active" && (
        <Action
          label="Pause"
          reason
          confirm={<p>No order is sent until it is resumed. The position stays.</p>}
          act={(reason) => tell(id, "pause", { reason })}
        />
      )}
      {mode === "active" && (
        <Action
          label="Reduce only"
          reason
          confirm={<p>The position may shrink and not grow.</p>}
          act={(reason) => tell(id, "reduce_only", { reason })}
        />
      )}
      {mode !== "active" && (
        <Action
          label="Resume"
          kind="main"
          reason={needs}
          confirm={needs ? <p>Say what was found out, and why it is safe to go on.</p> : undefined}
          act={(reason) => tell(id, "resume", needs ? { acknowledge: reason } : {})}
        />
      )}
      <Action label="Look for a new model" act={() => tell(id, "reload")} />
      <Action
        label="Stop"
        kind="danger"
        confirm={<p>The session ends behind its bar. The position stays as it is.</p>}
        act={() => tell(id, "stop")}
      />
      <KillSwitch id={id} />
    </div>
  );
}

function KillSwitch({ id }: { id: string }) {
  return (
    <>
      <Action
        label="Kill"
        kind="danger"
        reason
        confirm={<p>Trading halts at once, over restarts too. The position stays.</p>}
        act={(reason) => tell(id, "kill", { reason, flatten: false })}
      />
      <Action
        label="Kill and close"
        kind="danger"
        reason
        confirm={<p>The position is closed, and trading halts, over restarts too.</p>}
        act={(reason) => tell(id, "kill", { reason, flatten: true })}
      />
    </>
  );
}
