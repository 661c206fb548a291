import type { Challenger, Loose, Watch } from "../../api/types";
import { Badge, Figure, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { Meter, OneGauge } from "../../components/verdict";
import { percent, short, whole } from "../../lib/format";
import { useLoaded } from "../../lib/hooks";
import { evidenceOf, inOrder, ruleGauge } from "../../lib/shadows";
import { useShadows } from "../../stores/live";
import { useEvidence } from "../../stores/models";
import { ModelLink } from "../models";

/** Who decides beside the champion on the same bars, and what would take the champion back. */
export function ShadowPanels({ session, line }: { session: string; line: string }) {
  const entry = useLoaded(useShadows, session);
  const evidence = useLoaded(useEvidence, line);
  return (
    <>
      <Panel title="Watch over the champion">
        <Shown entry={entry} lines={4} again={() => void useShadows.getState().load(session)}>
          {(watch) => (watch?.champion_model_id ? <Rules watch={watch} /> : <NobodyWatched watch={watch} />)}
        </Shown>
      </Panel>
      <Panel title="Shadow challengers">
        <Shown entry={entry} lines={4}>
          {(watch) =>
            watch && watch.challengers.length > 0 ? (
              <ul className="list">
                {watch.challengers.map((it) => (
                  <One key={it.arm} of={it} arms={evidence.data} />
                ))}
              </ul>
            ) : (
              <Empty title="No challenger">
                The newest models of the line's other arms decide here on paper, on the same bars.
              </Empty>
            )
          }
        </Shown>
      </Panel>
    </>
  );
}

function NobodyWatched({ watch }: { watch: Watch | null }) {
  return watch ? (
    <Empty title="No champion is watched">There is none, or it can't be run in the shadow.</Empty>
  ) : (
    <Empty title="Nothing told yet">
      A trader with a guard tells here, bar by bar, how its champion does beside the model that it displaced.
      On made-up bars the guard is off unless <code>live.guard</code> is set.
    </Empty>
  );
}

function Rules({ watch }: { watch: Watch }) {
  return (
    <>
      <dl className="figures">
        <Figure name="Bars in the watch">{whole(watch.bars)}</Figure>
        <Figure name="Champion" title="Its paper ledger, without the session's limits">
          {percent(watch.champion_return, 2, true)}
        </Figure>
        <Figure name={watch.anchor_model_id ? "Displaced model" : "No position"}>
          {percent(watch.anchor_return, 2, true)}
        </Figure>
        {watch.anchor_model_id && (
          <Figure name="Measured against" title={watch.anchor_model_id}>
            <ModelLink id={watch.anchor_model_id} />
          </Figure>
        )}
      </dl>
      <div className="list">
        {inOrder(watch.rules).map((rule) => (
          <OneGauge key={rule.rule} gauge={ruleGauge(rule)} />
        ))}
      </div>
    </>
  );
}

function One({ of, arms }: { of: Challenger; arms: Loose[] | undefined }) {
  const ahead = of.total_return - of.champion_return;
  const evidence = evidenceOf(arms, of.arm);
  return (
    <li className="list">
      <div className="row">
        <ModelLink id={of.model_id} />
        <span className="mono small soft" title={of.arm}>
          arm {short(of.arm, 12)}
        </span>
        {evidence && (
          <Badge status={evidence.grade ?? "no grade yet"} tone={evidence.grade ? "calm" : "none"} />
        )}
      </div>
      <dl className="figures">
        <Figure name="Its return">{percent(of.total_return, 2, true)}</Figure>
        <Figure name="The champion's">{percent(of.champion_return, 2, true)}</Figure>
        <Figure name="Ahead by">
          <span className={ahead < 0 ? "bad" : ahead > 0 ? "good" : undefined}>
            {percent(ahead, 2, true)}
          </span>
        </Figure>
        <Figure name="Position">{percent(of.position, 0)}</Figure>
        <Figure name="Bars">{whole(of.bars)}</Figure>
        <Figure name="Since">
          <Time at={of.since} />
        </Figure>
      </dl>
      {of.problem && <p className="small warn">It gave no answer at the last close: {of.problem}</p>}
      {evidence?.sentence && <p className="small soft">{evidence.sentence}</p>}
      {evidence?.meter ? (
        <details>
          <summary>How far its evidence is</summary>
          <Meter meter={evidence.meter} />
        </details>
      ) : null}
    </li>
  );
}
