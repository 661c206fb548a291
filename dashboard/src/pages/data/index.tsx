import { Link } from "wouter";
import type { AllData, Data } from "../../api/types";
import { Badge, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { percent, short, whole } from "../../lib/format";
import { useLoaded, useTitle } from "../../lib/hooks";
import { defects } from "../../lib/quality";
import { useData } from "../../stores/catalog";
import { Recipes } from "./recipes";
import { WindowPanels } from "./window";

/** The bars that runs were made from, and what trainings can be made of. */
export default function DataPage({ params }: { params: { id?: string } }) {
  useTitle("Data");
  const entry = useLoaded(useData, "all");
  const chosen = params.id ? decodeURIComponent(params.id) : entry.data?.data[0]?.run_id;
  return (
    <>
      <h1>Data</h1>
      <Shown entry={entry} lines={5} again={() => void useData.getState().load("all")}>
        {(all) => <Windows all={all} chosen={chosen} />}
      </Shown>
      {chosen && <WindowPanels run={chosen} />}
      <Recipes />
    </>
  );
}

function Windows({ all, chosen }: { all: AllData; chosen: string | undefined }) {
  if (all.data.length === 0)
    return (
      <Empty title="No bars have been read yet">
        Each run reads a window of bars and keeps what it found out about them.
      </Empty>
    );
  return (
    <Panel title="Bars that runs were made from">
      <div className="scroll">
        <table className="stack">
          <thead>
            <tr>
              <th>Market</th>
              <th>Source</th>
              <th>From</th>
              <th>To</th>
              <th className="number">Bars</th>
              <th className="number">Missing</th>
              <th className="number">Longest hole</th>
              <th>Quality</th>
            </tr>
          </thead>
          <tbody>
            {all.data.map((it) => (
              <Row key={it.run_id} data={it} isChosen={it.run_id === chosen} />
            ))}
          </tbody>
        </table>
      </div>
      {all.unreadable > 0 && (
        <p className="small warn">{whole(all.unreadable)} records of runs can't be read.</p>
      )}
      {all.has_older && (
        <p className="small soft">
          The newest {whole(all.looked_at)} records were looked at; there are older ones.
        </p>
      )}
    </Panel>
  );
}

function Row({ data, isChosen }: { data: Data; isChosen: boolean }) {
  const { figures } = data;
  const worst = defects(figures)[0];
  return (
    <tr className={isChosen ? "is-chosen" : undefined} aria-current={isChosen ? "true" : undefined}>
      <td data-label="Market">
        <Link href={`/data/${encodeURIComponent(data.run_id)}`}>
          {data.symbol} {data.timeframe}
        </Link>
      </td>
      <td data-label="Source" title={data.source}>
        {short(data.source, 36)}
      </td>
      <td data-label="From">
        <Time at={data.from} />
      </td>
      <td data-label="To">
        <Time at={data.to} />
      </td>
      <td data-label="Bars" className="number">
        {whole(data.bars)}
      </td>
      <td data-label="Missing" className="number">
        {whole(figures.missing)} ({percent(figures.missing_share, 2)})
      </td>
      <td data-label="Longest hole" className="number">
        {whole(figures.longest_hole_bars)}
      </td>
      <td data-label="Quality">
        <Badge
          status={worst && worst.tone !== "none" ? "to look at" : "sound"}
          tone={worst && worst.tone !== "none" ? worst.tone : "good"}
        />
      </td>
    </tr>
  );
}
