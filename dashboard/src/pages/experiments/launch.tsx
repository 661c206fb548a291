import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import { told } from "../../api/client";
import { Panel } from "../../components/basics";
import { Choice, Field } from "../../components/field";
import { useLoaded } from "../../lib/hooks";
import { useDatasets, usePacks } from "../../stores/catalog";
import { ALL } from "../../stores/continuous";
import { launch } from "../../stores/experiments";

const EMPTY = { name: "", line: "", pack: "", dataset: "", iterations: "" };

/** Begins a training without a schedule. */
export function LaunchPanel() {
  const packs = useLoaded(usePacks, ALL).data ?? [];
  const datasets = useLoaded(useDatasets, ALL).data ?? [];
  const [, go] = useLocation();
  const [wanted, setWanted] = useState(EMPTY);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const set = (key: keyof typeof EMPTY) => (value: string) => setWanted((old) => ({ ...old, [key]: value }));
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const { name, line, pack, dataset, iterations } = wanted;
    try {
      const id = await launch({
        ...(name.trim() && { name: name.trim() }),
        ...(line.trim() && { line: line.trim() }),
        ...(pack && { hp_pack_id: pack }),
        ...(dataset && { dataset_id: dataset }),
        tags: [],
        settings: iterations.trim() ? { "training.iterations": iterations.trim() } : {},
      });
      go(`/experiments/${encodeURIComponent(id)}`);
    } catch (failed) {
      setError(told(failed));
      setBusy(false);
    }
  };
  const none: [string, string] = ["", "The server's settings"];
  return (
    <Panel title="New training">
      <form className="form" onSubmit={(event) => void send(event)}>
        <Choice
          label="Hyperparameter pack"
          value={wanted.pack}
          change={set("pack")}
          options={[none, ...packs.map((it): [string, string] => [it.id, it.name])]}
        />
        <Choice
          label="Dataset"
          value={wanted.dataset}
          change={set("dataset")}
          options={[none, ...datasets.map((it): [string, string] => [it.id, it.name])]}
        />
        <Field
          label="Iterations"
          inputMode="numeric"
          value={wanted.iterations}
          change={set("iterations")}
          placeholder="as the pack says"
        />
        <Field label="Name" value={wanted.name} change={set("name")} placeholder="made from the time" />
        <Field label="Line of models" value={wanted.line} change={set("line")} placeholder="default" />
        {error && (
          <p className="bad whole" role="alert">
            {error}
          </p>
        )}
        <div className="row whole">
          <button type="submit" className="is-main" disabled={busy}>
            {busy ? "Checking…" : "Start training"}
          </button>
        </div>
      </form>
    </Panel>
  );
}
