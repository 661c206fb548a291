import { useState } from "react";
import type { DataDetail, DataFigures } from "../../api/types";
import { Figure, Panel, Time } from "../../components/basics";
import { Scroll } from "../../components/scroll";
import { Empty, Shown } from "../../components/states";
import { percent, short, whole } from "../../lib/format";
import { useLoaded } from "../../lib/hooks";
import { bars, blocks, type Defect, defects } from "../../lib/quality";
import { local } from "../../lib/time";
import { useWindow } from "../../stores/catalog";

/** One window: what it covers, where it has holes, and what else is wrong with it. */
export function WindowPanels({ run }: { run: string }) {
  const entry = useLoaded(useWindow, run);
  return (
    <Shown entry={entry} lines={5} again={() => void useWindow.getState().load(run)}>
      {(detail) => (
        <div className="grid">
          <CoveragePanel detail={detail} />
          <Holes detail={detail} />
          <Quality detail={detail} />
        </div>
      )}
    </Shown>
  );
}

function CoveragePanel({ detail }: { detail: DataDetail }) {
  const { figures } = detail;
  return (
    <Panel
      title={`${detail.symbol} ${detail.timeframe}`}
      wide
      aside={<span className="small soft">{detail.source}</span>}
    >
      <Strip detail={detail} />
      <dl className="figures">
        <Figure name="Expected bars">{whole(detail.bars)}</Figure>
        <Figure name="There">{percent(1 - figures.missing_share, 2)}</Figure>
        <Figure name="Longest hole">{bars(figures.longest_hole_bars)}</Figure>
        <Figure name="History before it">{bars(detail.history_bars)}</Figure>
        <Figure name="Hold-out from">
          <Time at={detail.split} />
        </Figure>
        <Figure name="Read">
          <Time at={detail.collected_at} />
        </Figure>
        <Figure name="SHA-256" title={detail.sha256}>
          <span className="mono small">{short(detail.sha256, 17)}</span>
        </Figure>
      </dl>
    </Panel>
  );
}

/** The window from left to right: a full block lacks no bar. */
function Strip({ detail }: { detail: DataDetail }) {
  const all = blocks(detail);
  if (all.length === 0)
    return <p className="soft">Where bars are missing was not kept of this window: the next run keeps it.</p>;
  const lacking = all.filter((block) => block.known < 1).length;
  const label = `Coverage in ${all.length} stretches: ${lacking === 0 ? "all are whole" : `${lacking} lack bars`}`;
  return (
    <div>
      <div className="strip" role="img" aria-label={label}>
        {all.map((block) => (
          <span
            key={block.from}
            className={`block ${block.known === 1 ? "is-whole" : "is-part"}`}
            title={`${local(block.from)}: ${block.words}`}
          >
            <span className="known" style={{ height: `${100 * block.known}%` }} />
          </span>
        ))}
      </div>
      <div className="row ends small soft">
        <Time at={detail.from} />
        <Time at={detail.to} />
      </div>
    </div>
  );
}

/** Holes that are listed before somebody asks for all. */
const FEW_HOLES = 12;

function Holes({ detail }: { detail: DataDetail }) {
  const { coverage } = detail;
  const [isAll, setAll] = useState(false);
  const listed = coverage?.holes ?? [];
  return (
    <Panel
      title="Holes"
      aside={coverage && <span className="small soft">{whole(coverage.hole_count)} in all</span>}
    >
      {!coverage || coverage.holes.length === 0 ? (
        <Empty title={coverage ? "No holes" : "Not kept"}>
          {coverage
            ? "Every bar that the calendar expects is there."
            : "The next run keeps where bars are missing."}
        </Empty>
      ) : (
        <Scroll label="Holes">
          <table className="stack">
            <thead>
              <tr>
                <th>From</th>
                <th>To</th>
                <th className="number">Bars</th>
              </tr>
            </thead>
            <tbody>
              {(isAll ? listed : listed.slice(0, FEW_HOLES)).map((hole) => (
                <tr key={hole.from}>
                  <td data-label="From">
                    <Time at={hole.from} />
                  </td>
                  <td data-label="To">
                    <Time at={hole.to} />
                  </td>
                  <td className="number" data-label="Bars">
                    {whole(hole.bars)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {listed.length > FEW_HOLES && (
        <div className="row">
          <button type="button" aria-expanded={isAll} onClick={() => setAll(!isAll)}>
            {isAll ? "Fewer" : `All ${whole(listed.length)}`}
          </button>
        </div>
      )}
      {coverage && coverage.hole_count > coverage.holes.length && (
        <p className="small soft">The {whole(coverage.holes.length)} longest are listed.</p>
      )}
    </Panel>
  );
}

function Quality({ detail }: { detail: DataDetail }) {
  return (
    <Panel title="Quality">
      <h3>The window</h3>
      <Defects of={detail.figures} />
      {detail.file && (
        <>
          <h3>The whole file, {whole(detail.file.rows)} rows</h3>
          <Defects of={detail.file} />
        </>
      )}
      {detail.rejected.length > 0 && (
        <details>
          <summary>Rows that were refused</summary>
          <ul className="list small">
            {detail.rejected.map((row) => (
              <li key={row.line}>
                <span className="soft">line {whole(row.line)}:</span> {row.reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}

const MARKS: Record<Defect["tone"], string> = { bad: "✗", warn: "!", none: "·" };

function Defects({ of }: { of: DataFigures }) {
  const all = defects(of);
  if (all.length === 0)
    return (
      <p className="small">
        <span className="good" aria-hidden="true">
          ✓
        </span>{" "}
        Nothing is wrong with it.
      </p>
    );
  return (
    <ul className="checks">
      {all.map((defect) => (
        <li key={defect.words}>
          <span className={defect.tone === "none" ? "soft" : defect.tone} aria-hidden="true">
            {MARKS[defect.tone]}
          </span>
          {defect.words}
        </li>
      ))}
    </ul>
  );
}
