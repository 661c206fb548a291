import { useState } from "react";
import { Link } from "wouter";
import type { LineInfo, Model } from "../../api/types";
import { Action } from "../../components/actions";
import { Badge, Figure, Panel, Time } from "../../components/basics";
import { Older } from "../../components/older";
import { Empty, Shown } from "../../components/states";
import { metric, short, words } from "../../lib/format";
import { useLoaded, useTitle } from "../../lib/hooks";
import { decide, olderModels, overrule, rollBack, useLines, useModels } from "../../stores/models";

/** Who trades, who waits, and every model. */
export default function ModelsPage() {
  useTitle("Models");
  const lines = useLoaded(useLines, "all");
  const [line, setLine] = useState("");
  const models = useLoaded(useModels, line);
  return (
    <>
      <h1>Models</h1>
      <Shown entry={lines} lines={4} again={() => void useLines.getState().load("all")}>
        {(all) => (
          <div className="grid">
            {all.map((it) => (
              <LinePanel key={it.line} line={it} />
            ))}
          </div>
        )}
      </Shown>
      <Panel
        title="All models"
        aside={
          (lines.data?.length ?? 0) > 1 && (
            <select
              aria-label="Line"
              style={{ width: "auto" }}
              value={line}
              onChange={(event) => setLine(event.target.value)}
            >
              <option value="">every line</option>
              {lines.data?.map((it) => (
                <option key={it.line} value={it.line}>
                  {it.line}
                </option>
              ))}
            </select>
          )
        }
      >
        <Shown entry={models} lines={5} again={() => void useModels.getState().load(line)}>
          {(page) =>
            page.rows.length === 0 ? (
              <Empty title="No model yet">A training makes one.</Empty>
            ) : (
              <>
                <List models={page.rows} />
                <Older page={page} more={() => olderModels(line)} />
              </>
            )
          }
        </Shown>
      </Panel>
    </>
  );
}

/** A link to a model by its name. */
export function ModelLink({ id }: { id: string | null | undefined }) {
  if (!id) return <>–</>;
  return (
    <Link className="mono small" href={`/models/${encodeURIComponent(id)}`} title={id}>
      {short(id, 34)}
    </Link>
  );
}

function LinePanel({ line }: { line: LineInfo }) {
  const { champion } = line;
  return (
    <Panel
      title={`Line ${line.line}`}
      aside={champion?.grade && <Badge status={champion.grade} tone="calm" />}
    >
      {line.pointer_damaged && (
        <p className="bad" role="alert">
          Its pointer can't be trusted: the server's log says why.
        </p>
      )}
      {champion ? (
        <dl className="figures">
          <Figure name="Champion">
            <ModelLink id={champion.model_id} />
          </Figure>
          <Figure name="Since">
            <Time at={champion.promoted_at} />
          </Figure>
          <Figure name="Market">
            {champion.symbol} {champion.timeframe}
          </Figure>
          <Figure name="Return">{metric("totalReturn", champion.metrics.totalReturn)}</Figure>
          <Figure name="Drawdown">{metric("maxDrawdown", champion.metrics.maxDrawdown)}</Figure>
          <Figure name="Rules">{champion.preset}</Figure>
        </dl>
      ) : (
        <Empty title="No champion">Traders of this line stay flat until a model is promoted.</Empty>
      )}
      {champion && !champion.weights_sound && <p className="bad">Its weights are gone or damaged.</p>}
      {line.held.map((held) => (
        <div key={held.model_id} className="banner">
          <span>
            <ModelLink id={held.model_id} /> waits for approval
            {!held.approvable && ", and the champion that it was compared with has gone: it is judged again"}
          </span>
          <Decisions id={held.model_id} />
          {!held.approvable && <Overrule id={held.model_id} outcome={null} />}
        </div>
      ))}
      {champion && (
        <div className="row">
          <Action
            label="Roll back"
            kind="danger"
            reason
            confirm={
              <p>
                The champion of line {line.line} is taken back to the one before it. Traders load that one.
              </p>
            }
            act={(reason) => rollBack(line.line, reason)}
          />
        </div>
      )}
    </Panel>
  );
}

/** What can be done with a model that waits. */
export function Decisions({ id }: { id: string }) {
  return (
    <div className="row">
      <Action
        label="Approve"
        kind="main"
        reason
        confirm={<p>{short(id, 40)} becomes the champion, and traders load it.</p>}
        act={(reason) => decide(id, "approve", reason)}
      />
      <Action
        label="Reject"
        kind="danger"
        reason
        confirm={<p>{short(id, 40)} is declined. The champion stays.</p>}
        act={(reason) => decide(id, "reject", reason)}
      />
    </div>
  );
}

/** What can be done with a model that the gate did not let through. */
export function Overrule({ id, outcome }: { id: string; outcome: string | null | undefined }) {
  return (
    <Action
      label="Overrule"
      kind="danger"
      reason
      confirm={
        <p>
          {outcome
            ? `The gate's verdict is ${words(outcome).toLowerCase()}.`
            : "The gate has not let it through."}{" "}
          {short(id, 40)} becomes the champion all the same, at the grade that its arm has earned, and traders
          load it.
        </p>
      }
      act={(reason) => overrule(id, reason)}
    />
  );
}

function List({ models }: { models: Model[] }) {
  return (
    <div className="scroll">
      <table className="stack">
        <thead>
          <tr>
            <th>Model</th>
            <th>Status</th>
            <th>Line</th>
            <th>Made</th>
            <th>Parent</th>
          </tr>
        </thead>
        <tbody>
          {models.map((model) => (
            <tr key={model.model_id}>
              <td data-label="Model">
                <ModelLink id={model.model_id} />
              </td>
              <td data-label="Status">
                <span className="row">
                  <Badge status={model.status} />
                  {model.champion && <Badge status="champion" />}
                  {model.held && <Badge status="held" />}
                  {model.pinned && <Badge status="pinned" title={model.pinned} />}
                </span>
              </td>
              <td data-label="Line">{model.line}</td>
              <td data-label="Made">
                <Time at={model.created_at} />
              </td>
              <td data-label="Parent">
                <ModelLink id={model.parent_model_id} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
