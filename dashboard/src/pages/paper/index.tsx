import { useState } from "react";
import { Badge } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { useLoaded, useTitle } from "../../lib/hooks";
import { local } from "../../lib/time";
import { useBook, useSessions } from "../../stores/live";
import { ChartPanels, RowPanels } from "./book";
import { SessionPanel } from "./session";
import { ShadowPanels } from "./shadows";
import { StartPanel } from "./start";

/** The traders: what each holds, how it has done, and what stops it. */
export default function PaperPage() {
  useTitle("Paper Trading");
  const entry = useLoaded(useSessions, "all");
  const [chosen, choose] = useState<string | null>(null);
  const [isNew, setNew] = useState(false);
  const all = entry.data ?? [];
  const session = all.find((it) => it.session_id === chosen) ?? all[0];
  const book = useLoaded(useBook, session?.session_id ?? null);
  const now = book.data?.session ?? session;
  return (
    <>
      <div className="head">
        <h1>Paper trading</h1>
        <div className="row">
          {all.length > 1 && session && (
            <select
              aria-label="Session"
              style={{ width: "auto", maxWidth: "100%" }}
              value={session.session_id}
              onChange={(event) => choose(event.target.value)}
            >
              {all.map((it) => (
                <option key={it.session_id} value={it.session_id}>
                  {it.symbol} {it.timeframe}, {it.running ? "runs" : "ended"}, {local(it.started_at)}
                </option>
              ))}
            </select>
          )}
          <button type="button" aria-expanded={isNew} onClick={() => setNew(!isNew)}>
            {isNew ? "Close" : "Start on paper"}
          </button>
        </div>
      </div>
      {isNew && (
        <StartPanel
          done={(id) => {
            setNew(false);
            choose(id);
          }}
        />
      )}
      <Shown entry={entry} lines={6} again={() => void useSessions.getState().load("all")}>
        {() =>
          now ? (
            <div className="grid">
              <SessionPanel session={now} />
              <Shown entry={book} lines={5}>
                {(data) => (
                  <>
                    <ChartPanels book={data} />
                    <ShadowPanels session={now.session_id} line={now.line} />
                    <RowPanels book={data} />
                  </>
                )}
              </Shown>
            </div>
          ) : (
            <Empty title="No trader has run yet">
              A trader follows a line: it decides on every bar with the line's champion, and takes up a new
              one between two bars. Start one on paper here, or with <code>live-trader</code>.
            </Empty>
          )
        }
      </Shown>
    </>
  );
}

/** Whether a session runs, and what it may do. */
export function SessionBadges({ running, mode }: { running: boolean; mode: string }) {
  return (
    <span className="row">
      <Badge status={running ? "running" : "ended"} />
      {mode !== "active" && <Badge status={mode} />}
    </span>
  );
}
