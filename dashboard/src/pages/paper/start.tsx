import { type FormEvent, useState } from "react";
import { told } from "../../api/client";
import { Panel } from "../../components/basics";
import { Choice, Field } from "../../components/field";
import { useLoaded } from "../../lib/hooks";
import { startPaper } from "../../stores/live";
import { useLines } from "../../stores/models";

const SOURCES: [string, string][] = [
  ["alpaca", "Alpaca: the bars of now"],
  ["synthetic", "Made-up bars"],
];

/** Starts a trader on paper. */
export function StartPanel({ done }: { done: (session: string) => void }) {
  const lines = useLoaded(useLines, "all").data ?? [];
  const [wanted, setWanted] = useState({ line: "", source: "alpaca", speed: "3600" });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const set = (key: keyof typeof wanted) => (value: string) => setWanted((old) => ({ ...old, [key]: value }));
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const { line, source, speed } = wanted;
    const champion = lines.find((it) => it.line === line)?.champion;
    try {
      const market = champion ? { symbol: champion.symbol, timeframe: champion.timeframe } : {};
      const pace = source === "synthetic" ? { speed } : {};
      done(await startPaper({ ...(line && { line }), source, ...market, ...pace }));
    } catch (failed) {
      setError(told(failed));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title="Start on paper">
      <form className="form" onSubmit={(event) => void send(event)}>
        <Choice
          label="Line"
          hint="Its champion trades; without one the trader waits, flat"
          value={wanted.line}
          change={set("line")}
          options={[["", "The server's"], ...lines.map(({ line }): [string, string] => [line, line])]}
        />
        <Choice label="Bars" value={wanted.source} change={set("source")} options={SOURCES} />
        {wanted.source === "synthetic" && (
          <Field
            label="Speed"
            hint="Times faster than the clock, or max"
            value={wanted.speed}
            change={set("speed")}
          />
        )}
        {error && (
          <p className="bad whole" role="alert">
            {error}
          </p>
        )}
        <div className="row whole">
          <button type="submit" className="is-main" disabled={busy}>
            {busy ? "Starting…" : "Start"}
          </button>
          <span className="small soft">The trader is a process of its own, and outlives this server.</span>
        </div>
      </form>
    </Panel>
  );
}
