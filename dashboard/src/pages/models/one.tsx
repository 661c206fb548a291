import { Link } from "wouter";
import type { ModelDetail, Promotion } from "../../api/types";
import { Action } from "../../components/actions";
import { Badge, Figure, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { Meter, VerdictBox } from "../../components/verdict";
import { canOverrule } from "../../lib/decisions";
import { short, whole } from "../../lib/format";
import { useLoaded, useTitle } from "../../lib/hooks";
import { decide, useModel } from "../../stores/models";
import { Metrics } from "../experiments/one";
import { Decisions, ModelLink, Overrule } from ".";

/** One model: where it comes from, what the gate said, and what became of it. */
export default function ModelPage({ params }: { params: { id: string } }) {
  const id = decodeURIComponent(params.id);
  useTitle(id);
  const entry = useLoaded(useModel, id);
  return (
    <Shown entry={entry} lines={6} again={() => void useModel.getState().load(id)}>
      {(detail) => (
        <>
          <Head detail={detail} />
          <div className="grid">
            <About detail={detail} />
            {detail.metrics ? (
              <Metrics metrics={detail.metrics} title="On bars that it had not seen" />
            ) : (
              <Panel title="On bars that it had not seen">
                <Empty title="Not evaluated" />
              </Panel>
            )}
            <Panel title="What the gate said">
              {detail.verdict ? (
                <VerdictBox verdict={detail.verdict} />
              ) : (
                <Empty title="No verdict">No gate has judged it.</Empty>
              )}
            </Panel>
            <Lineage detail={detail} />
            {detail.verdict?.meter && (
              <Panel title="Evidence of its arm" wide>
                <Meter meter={detail.verdict.meter} />
              </Panel>
            )}
            <Ledger promotions={detail.promotions} id={id} />
          </div>
        </>
      )}
    </Shown>
  );
}

function Head({ detail }: { detail: ModelDetail }) {
  const { model, pin } = detail;
  const id = model.model_id;
  return (
    <div className="head">
      <div>
        <Link href="/models" className="small">
          Models
        </Link>
        <h1 className="mono" style={{ fontSize: 18 }}>
          {id}
        </h1>
      </div>
      <div className="row">
        <Badge status={model.status} />
        {model.champion && <Badge status="champion" />}
        {model.held && <Decisions id={id} />}
        {canOverrule(detail) && <Overrule id={id} outcome={detail.verdict?.outcome} />}
        {pin ? (
          <Action
            label="Unpin"
            reason
            confirm={<p>It may be pruned again when it is old.</p>}
            act={(reason) => decide(id, "unpin", reason)}
          />
        ) : (
          <Action
            label="Pin"
            reason
            confirm={<p>It is kept, whatever its age.</p>}
            act={(reason) => decide(id, "pin", reason)}
          />
        )}
      </div>
    </div>
  );
}

function About({ detail }: { detail: ModelDetail }) {
  const { model, cycle } = detail;
  return (
    <Panel title="Model">
      {!detail.weights_sound && (
        <p className="warn">
          {model.weights_removed_at ? (
            <>
              Its weights were pruned <Time at={model.weights_removed_at} />.
            </>
          ) : (
            "Its weights are gone or damaged."
          )}
        </p>
      )}
      {detail.declined && (
        <p className="warn">
          Declined <Time at={detail.declined.at} />: {detail.declined.reason}
        </p>
      )}
      {detail.pin && <p className="soft">Pinned: {detail.pin.reason}</p>}
      <dl className="figures">
        <Figure name="Market">
          {detail.symbol} {detail.timeframe}
        </Figure>
        <Figure name="Line">{model.line}</Figure>
        <Figure name="Made">
          <Time at={model.created_at} />
        </Figure>
        <Figure name="Made by">
          {cycle ? `${cycle.schedule_id}, cycle ${cycle.cycle_number}` : "a single run"}
        </Figure>
        <Figure name="Trained until">
          <Time at={detail.trained_until} />
        </Figure>
        <Figure name="Its line has seen">
          <Time at={detail.lineage_until} />
        </Figure>
        <Figure name="Trainer">
          {detail.trainer}, {whole(detail.iterations)} iterations
        </Figure>
        <Figure name="Seed">{String(detail.seed)}</Figure>
        <Figure name="Weights">{whole(detail.weights_bytes)} B</Figure>
        <Figure name="Code">
          <span className="mono small">{detail.code_version}</span>
        </Figure>
        <Figure name="SHA-256" title={detail.sha256}>
          <span className="mono small">{short(detail.sha256, 17)}</span>
        </Figure>
      </dl>
    </Panel>
  );
}

function Lineage({ detail }: { detail: ModelDetail }) {
  return (
    <Panel title="Lineage">
      {detail.ancestors.length === 0 ? (
        <Empty title="No parent">Its training began from nothing.</Empty>
      ) : (
        <ol className="list">
          {detail.ancestors.map((id, at) => (
            <li key={id}>
              <span className="soft small">{at === 0 ? "parent " : `${at + 1} back `}</span>
              <ModelLink id={id} />
            </li>
          ))}
        </ol>
      )}
      {detail.compared_with && (
        <p className="small soft">
          Judged against <ModelLink id={detail.compared_with} />
        </p>
      )}
    </Panel>
  );
}

function Ledger({ promotions, id }: { promotions: Promotion[]; id: string }) {
  return (
    <Panel title="As champion" wide>
      {promotions.length === 0 ? (
        <Empty title="Never champion" />
      ) : (
        <div className="scroll">
          <table className="stack">
            <thead>
              <tr>
                <th className="number">Change</th>
                <th>When</th>
                <th>What</th>
                <th>Other</th>
                <th>Why</th>
              </tr>
            </thead>
            <tbody>
              {promotions.map((it) => {
                const came = it.to_model_id === id;
                return (
                  <tr key={it.sequence}>
                    <td className="number" data-label="Change">
                      {whole(it.sequence)}
                    </td>
                    <td data-label="When">
                      <Time at={it.committed_at ?? it.created_at} />
                    </td>
                    <td data-label="What">
                      {came ? "became champion" : "was replaced"}
                      {it.kind !== "promote" && ` (${it.kind})`}
                      {it.state !== "committed" && ` (${it.state})`}
                    </td>
                    <td data-label="Other">
                      <ModelLink id={came ? it.from_model_id : it.to_model_id} />
                    </td>
                    <td data-label="Why">{it.reason}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
