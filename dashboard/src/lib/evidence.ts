import type { Loose } from "../api/types";
import { figure, NONE, percent, whole } from "./format";

/** A figure of a meter, how far it is and where its limits are. */
export interface Gauge {
  name: string;
  value: string;
  note: string;
  /** 0 to 1; none as long as there is no figure. */
  fill: number | null;
  /** Where the limits are, 0 to 1. */
  limits: number[];
}

/** A gauge goes on behind its limit, so that one sees by how much it is passed. */
const BEYOND = 1.5;
/** The same on the scale of factors of a p. */
const BEYOND_LAST_LEVEL = 0.1;

const numberAt = (from: unknown, key: string): number | null => {
  const value = from && typeof from === "object" ? (from as Loose)[key] : undefined;
  return typeof value === "number" && Number.isFinite(value) ? value : null;
};
const objectAt = (from: unknown, key: string): Loose => {
  const value = from && typeof from === "object" ? (from as Loose)[key] : undefined;
  return value && typeof value === "object" ? (value as Loose) : {};
};

function share(value: number | null, of: number | null): number | null {
  if (value === null || of === null || of <= 0) return null;
  return Math.min(1, Math.max(0, value / of));
}

const joined = (...parts: (string | null | false)[]) => parts.filter(Boolean).join("; ");

/** A gauge of a count that some number is needed of. */
function counted(name: string, value: number | null, needed: number | null, more?: string | null): Gauge {
  return {
    name,
    value: whole(value),
    note: joined(needed !== null && `${whole(needed)} are needed`, more ?? null),
    fill: share(value, needed === null ? null : needed * BEYOND),
    limits: needed ? [1 / BEYOND] : [],
  };
}

function luck(meter: Loose): Gauge {
  const recent = objectAt(objectAt(meter, "standing"), "recent");
  const levels = objectAt(meter, "levels");
  const p = numberAt(recent, "p");
  const [provisional, screened] = [numberAt(levels, "provisionalP"), numberAt(levels, "screenedP")];
  const rarest = screened ? Math.log(screened * BEYOND_LAST_LEVEL) : null;
  const place = (at: number | null) =>
    at && at > 0 && rarest ? Math.min(1, Math.max(0, Math.log(at) / rarest)) : null;
  const gap = numberAt(recent, "gap");
  const days = numberAt(recent, "days");
  return {
    name: "Luck does as well",
    value: p === null ? NONE : `p = ${figure(p)}`,
    note: joined(
      provisional !== null && `provisional at ${figure(provisional)}`,
      screened !== null && `screened at ${figure(screened)}`,
      gap === null || days === null
        ? "from the first look on"
        : `a lead of ${percent(gap, 2, true)} over ${whole(days)} days`,
    ),
    fill: place(p),
    limits: [place(provisional), place(screened)].filter((it) => it !== null),
  };
}

function test(meter: Loose): Gauge {
  const sequential = objectAt(objectAt(meter, "standing"), "sequential");
  const [z, boundary] = [numberAt(sequential, "z"), numberAt(sequential, "boundary")];
  const horizon = numberAt(sequential, "horizonBars");
  if (boundary !== null && horizon !== null) {
    return {
      name: "Registered test",
      value: z === null ? NONE : `Z = ${figure(z)}`,
      note: `${figure(boundary)} qualifies; ${whole(numberAt(sequential, "bars"))} of ${whole(horizon)} live bars`,
      fill: share(z, boundary * BEYOND),
      limits: [1 / BEYOND],
    };
  }
  const [largest, needed] = [numberAt(sequential, "maxLogE"), numberAt(sequential, "logENeeded")];
  const now = numberAt(sequential, "logE");
  return {
    name: "E-process",
    value: now === null ? NONE : `log E = ${figure(now)}`,
    note: joined(
      needed !== null && `${figure(needed)} qualifies`,
      largest !== null && `largest ${figure(largest)}`,
    ),
    fill: share(largest, needed === null ? null : needed * BEYOND),
    limits: needed === null ? [] : [1 / BEYOND],
  };
}

/** The gauges of an evidence meter in the order in which an arm gets on. */
export function gauges(meter: unknown): Gauge[] {
  const all = (meter ?? {}) as Loose;
  const standing = objectAt(all, "standing");
  const levels = objectAt(all, "levels");
  const bars = numberAt(standing, "countedBars");
  const first = numberAt(standing, "firstLookBars");
  const next = numberAt(standing, "nextLookInBars");
  const error = objectAt(all, "error");
  const [spent, allowed] = [numberAt(error, "spent"), numberAt(error, "allowed")];
  return [
    {
      name: "Counted bars",
      value: whole(bars),
      note: joined(
        first !== null && `first look at ${whole(first)}`,
        next !== null && `next in ${whole(next)}`,
      ),
      fill: share(bars, first),
      limits: [],
    },
    counted("Closed trades", numberAt(standing, "closedTrades"), numberAt(levels, "minTrades")),
    counted(
      "Stretches where the two differ",
      numberAt(standing, "differingStretches"),
      numberAt(levels, "minStretches"),
      `they differ on ${whole(numberAt(standing, "differingBars"))} bars`,
    ),
    luck(all),
    test(all),
    {
      name: "Error spent by this test",
      value: spent === null ? NONE : percent(spent, 3),
      note: allowed === null ? "" : `of ${percent(allowed, 3)}`,
      fill: share(spent, allowed),
      limits: [],
    },
  ];
}
