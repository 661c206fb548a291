import type { Cycle, Loose } from "../../api/types";
import { Badge, Panel, Time } from "../../components/basics";
import { Empty, Shown } from "../../components/states";
import { Meter } from "../../components/verdict";
import { short, whole } from "../../lib/format";
import { useLoaded } from "../../lib/hooks";
import { useEvidence } from "../../stores/models";

/** How far the evidence for each arm has come. */
export function EvidencePanel({ line, newest }: { line: string; newest: Cycle[] | undefined }) {
  const entry = useLoaded(useEvidence, line);
  const isThresholds = newest?.find((cycle) => cycle.verdict)?.verdict?.preset === "thresholds";
  return (
    <Panel title={`Evidence on line ${line}`}>
      <Shown entry={entry}>
        {(arms) =>
          arms.length === 0 ? (
            <Empty title="No evidence yet">
              {isThresholds
                ? "This schedule is judged by thresholds on the hold-out: the history has each condition."
                : "It is collected bar by bar from the first cycle on."}
            </Empty>
          ) : (
            arms.map((arm, at) => <Arm key={String(arm.arm)} arm={arm} isOpen={at === 0} />)
          )
        }
      </Shown>
    </Panel>
  );
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

function Arm({ arm, isOpen }: { arm: Loose; isOpen: boolean }) {
  const judged = arm.judged as { grading?: { meter?: unknown } } | null | undefined;
  const quarantine = arm.quarantine as { until?: string; sentence?: string } | null | undefined;
  const grade = text(arm.grade);
  return (
    <details open={isOpen} className="list">
      <summary>
        <span className="mono">{short(text(arm.arm), 14)}</span>{" "}
        <Badge status={grade ?? "no grade yet"} tone={grade ? "calm" : "none"} />{" "}
        {arm.trades === true && <Badge status="trades" tone="good" />}{" "}
        <span className="small soft">
          {whole(arm.snapshots)} {arm.snapshots === 1 ? "model" : "models"}
        </span>
      </summary>
      <div className="list" style={{ marginTop: 10 }}>
        {text(arm.sentence) && <p>{text(arm.sentence)}</p>}
        {quarantine && (
          <p className="warn">
            In quarantine until <Time at={quarantine.until} />: {quarantine.sentence}
          </p>
        )}
        {judged?.grading?.meter ? <Meter meter={judged.grading.meter} /> : null}
        {text(arm.tests) && <p className="small soft">{text(arm.tests)}</p>}
      </div>
    </details>
  );
}
