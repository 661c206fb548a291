import { type FormEvent, useState } from "react";
import { told } from "../../api/client";
import { Panel } from "../../components/basics";
import { Choice, Field } from "../../components/field";
import { useLoaded } from "../../lib/hooks";
import { asked, FIRST_SETUP, type Setup, wrong } from "../../lib/setup";
import { useDatasets, usePacks } from "../../stores/catalog";
import { ALL, start } from "../../stores/continuous";
import { useCompleted } from "../../stores/experiments";

const TIMEFRAMES = ["1m", "5m", "15m", "1h", "4h", "1d"];
const PRESETS: [string, string][] = [
  ["evidence", "Evidence: live bars decide"],
  ["thresholds", "Thresholds: the hold-out decides"],
];

function named(rows: { id: string; name: string }[] | undefined): [string, string][] {
  return (rows ?? []).map(({ id, name }) => [id, name || id]);
}

/** Makes a schedule and starts it. */
export function SetupPanel({ done }: { done: () => void }) {
  const [setup, setSetup] = useState<Setup>(FIRST_SETUP);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const set = (key: keyof Setup) => (value: string) => setSetup((old) => ({ ...old, [key]: value }));
  const send = async (event: FormEvent) => {
    event.preventDefault();
    const bad = wrong(setup);
    setError(bad);
    if (bad) return;
    setBusy(true);
    try {
      await start(asked(setup));
      done();
    } catch (failed) {
      setError(told(failed));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel title="New schedule">
      <form className="form" onSubmit={(event) => void send(event)}>
        <What setup={setup} set={set} />
        <How setup={setup} set={set} />
        <label className="check whole">
          <input
            type="checkbox"
            checked={setup.autoDeploy}
            onChange={(event) => setSetup({ ...setup, autoDeploy: event.target.checked })}
          />
          Promote a model that may trade by itself; without this it is held for your approval
        </label>
        {error && (
          <p className="bad whole" role="alert">
            {error}
          </p>
        )}
        <div className="row whole">
          <button type="submit" className="is-main" disabled={busy}>
            {busy ? "Checking…" : "Start continuous training"}
          </button>
        </div>
      </form>
    </Panel>
  );
}

interface PartProps {
  setup: Setup;
  set: (key: keyof Setup) => (value: string) => void;
}

function What({ setup, set }: PartProps) {
  const packs = useLoaded(usePacks, ALL).data;
  const datasets = useLoaded(useDatasets, ALL).data;
  const completed = useLoaded(useCompleted, ALL).data;
  const none: [string, string] = ["", "The server's settings"];
  return (
    <>
      <Choice
        label="Base experiment"
        hint="The first cycle continues from its checkpoint"
        value={setup.base}
        change={set("base")}
        options={[["", "None: from nothing"], ...named(completed)]}
      />
      <Choice
        label="Hyperparameter pack"
        value={setup.pack}
        change={set("pack")}
        options={[none, ...named(packs)]}
      />
      <Choice
        label="Dataset"
        value={setup.dataset}
        change={set("dataset")}
        options={[none, ...named(datasets)]}
      />
      <Field label="Symbol" value={setup.symbol} change={set("symbol")} />
      <Field label="Timeframe" value={setup.timeframe} change={set("timeframe")} choices={TIMEFRAMES} />
      <Field label="Name" value={setup.name} change={set("name")} placeholder="made from the market" />
      <Field label="Line of models" value={setup.line} change={set("line")} placeholder="default" />
    </>
  );
}

function How({ setup, set }: PartProps) {
  return (
    <>
      <Field
        label="Interval, hours"
        inputMode="decimal"
        value={setup.interval}
        change={set("interval")}
        disabled={setup.cron.trim() !== ""}
      />
      <Field label="Or as cron, UTC" value={setup.cron} change={set("cron")} placeholder="0 */6 * * *" />
      <Field label="Window, bars" inputMode="numeric" value={setup.window} change={set("window")} />
      <Field
        label="Iterations of a cycle"
        inputMode="numeric"
        value={setup.iterations}
        change={set("iterations")}
      />
      <Field
        label="Learning rate multiplier"
        inputMode="decimal"
        hint="Where a cycle continues from a checkpoint"
        value={setup.multiplier}
        change={set("multiplier")}
      />
      <Choice label="Rules of promotion" value={setup.preset} change={set("preset")} options={PRESETS} />
    </>
  );
}
