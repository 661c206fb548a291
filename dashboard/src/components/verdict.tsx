import type { Check, Verdict } from "../api/types";
import { type Gauge, gauges } from "../lib/evidence";
import { words } from "../lib/format";
import { Badge } from "./basics";

const SIGNS: Record<string, [string, string]> = {
  pass: ["good", "✓"],
  fail: ["bad", "✗"],
  unknown: ["warn", "?"],
};

/** Every condition of a gate with what it came to. */
export function Checks({ checks }: { checks: Check[] }) {
  return (
    <ul className="checks">
      {checks.map((check) => {
        const [tone, sign] = SIGNS[check.judgement] ?? ["warn", "?"];
        return (
          <li key={check.name} title={words(check.name)}>
            <span className={tone} aria-hidden="true">
              {sign}
            </span>
            <span>
              <span className="unseen">{check.judgement}: </span>
              {check.sentence}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** What a gate said, and why. */
export function VerdictBox({ verdict }: { verdict: Verdict }) {
  return (
    <div className="list">
      <div className="row">
        <Badge status={verdict.outcome} />
        <span className="small soft">rules: {verdict.preset}</span>
        {verdict.grade && <Badge status={verdict.grade} tone="calm" />}
      </div>
      <p>{verdict.sentence}</p>
      <Checks checks={verdict.checks} />
      {verdict.warnings.map((warning) => (
        <p key={warning} className="small warn">
          {warning}
        </p>
      ))}
    </div>
  );
}

/** A figure with its limits. */
export function OneGauge({ gauge }: { gauge: Gauge }) {
  return (
    <div className="gauge">
      <div className="row">
        <span>{gauge.name}</span>
        <strong>{gauge.value}</strong>
      </div>
      <div className="rail">
        <div className="bar" role="img" aria-label={`${gauge.name}: ${gauge.value}. ${gauge.note}`}>
          <span style={{ width: `${(gauge.fill ?? 0) * 100}%` }} />
        </div>
        {gauge.limits.map((limit) => (
          <i key={limit} style={{ left: `${limit * 100}%` }} />
        ))}
      </div>
      <span className="small soft">{gauge.note}</span>
    </div>
  );
}

/** Where the evidence stands, figure by figure. */
export function Meter({ meter }: { meter: unknown }) {
  return (
    <div className="list">
      {gauges(meter).map((gauge) => (
        <OneGauge key={gauge.name} gauge={gauge} />
      ))}
    </div>
  );
}
