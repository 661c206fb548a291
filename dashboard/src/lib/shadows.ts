import type { Loose, Rule } from "../api/types";
import type { Gauge } from "./evidence";
import { figure, fixed, NONE, percent, whole } from "./format";

/** A gauge goes on behind its limit, so that one sees by how much it is passed. */
const BEYOND = 1.5;

const NAMES: Record<string, string> = {
  evidence: "Evidence that its anchor is better",
  drawdown: "Fall from its peak",
  turnover: "Turnover of a day",
  errors: "Decisions without an answer",
};

function written(rule: string, value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (rule === "evidence") return `E = ${figure(value)}`;
  if (rule === "drawdown") return percent(value, 1);
  if (rule === "turnover") return `${fixed(value)} × equity`;
  return whole(value);
}

/** Rules in the order of their names. */
export function inOrder(rules: Rule[]): Rule[] {
  const places = Object.keys(NAMES);
  const place = ({ rule }: Rule) => (places.includes(rule) ? places.indexOf(rule) : places.length);
  return [...rules].sort((a, b) => place(a) - place(b));
}

/** Where a rule stands that takes the champion back: its limit is two thirds of the way. */
export function ruleGauge({ rule, value, limit }: Rule): Gauge {
  const isOn = typeof limit === "number" && limit > 0;
  return {
    name: NAMES[rule] ?? rule,
    value: written(rule, value),
    note: isOn
      ? `${written(rule, limit)} takes the champion back`
      : "off: nothing is known of the champion from before",
    fill: isOn ? Math.min(1, Math.max(0, value / (limit * BEYOND))) : null,
    limits: isOn ? [1 / BEYOND] : [],
  };
}

/** What is known about an arm, among all arms of its line. */
export interface ArmEvidence {
  grade: string | null;
  sentence: string | null;
  meter: unknown;
}

/** How far the evidence for `arm` has come; none where nothing is known of it. */
export function evidenceOf(arms: Loose[] | undefined, arm: string): ArmEvidence | null {
  const found = arms?.find((it) => it.arm === arm);
  if (!found) return null;
  const text = (value: unknown) => (typeof value === "string" ? value : null);
  const judged = found.judged as { grading?: { meter?: unknown } } | null | undefined;
  return {
    grade: text(found.grade),
    sentence: text(found.sentence),
    meter: judged?.grading?.meter ?? null,
  };
}
