import type { DatasetConfig, Loose, Pack } from "../../api/types";
import { Badge, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { flat, words } from "../../lib/format";
import { useLoaded } from "../../lib/hooks";
import { useDatasets, usePacks } from "../../stores/catalog";

/** What trainings can be made of: where bars come from, and hyperparameters. */
export function Recipes() {
  const datasets = useLoaded(useDatasets, "all");
  const packs = useLoaded(usePacks, "all");
  return (
    <>
      <h2>Dataset configurations</h2>
      <Shown entry={datasets} lines={5} again={() => void useDatasets.getState().load("all")}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="No dataset configuration">
              <code>orchestrate datasets add</code> makes one.
            </Empty>
          ) : (
            <div className="grid">
              {all.map((dataset) => (
                <DatasetPanel key={dataset.id} dataset={dataset} />
              ))}
            </div>
          )
        }
      </Shown>
      <h2>Hyperparameter packs</h2>
      <Shown entry={packs} lines={5} again={() => void usePacks.getState().load("all")}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="No pack">
              <code>orchestrate packs add</code> makes one.
            </Empty>
          ) : (
            <div className="grid">
              {all.map((pack) => (
                <PackPanel key={pack.id} pack={pack} />
              ))}
            </div>
          )
        }
      </Shown>
    </>
  );
}

function Settings({ of }: { of: Loose }) {
  const all = flat(of);
  if (all.length === 0) return null;
  return (
    <dl className="figures">
      {all.map(([name, value]) => (
        <div key={name}>
          <dt>{words(name)}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function DatasetPanel({ dataset }: { dataset: DatasetConfig }) {
  return (
    <Panel title={dataset.name} aside={<Badge status={dataset.source_type} tone="calm" />}>
      <p className="soft">{dataset.description}</p>
      <Settings of={dataset.source_config} />
      <Settings of={dataset.split_config} />
      <p className="small soft">
        <span className="mono">{dataset.id}</span>, changed <Time at={dataset.updated_at} />
      </p>
    </Panel>
  );
}

function PackPanel({ pack }: { pack: Pack }) {
  return (
    <Panel title={pack.name} aside={<span className="mono small soft">{pack.id}</span>}>
      <p className="soft">{pack.description}</p>
      <details>
        <summary>Its hyperparameters</summary>
        <Settings of={pack.config} />
      </details>
    </Panel>
  );
}
