import type { ReactNode } from "react";
import { useNow } from "../lib/hooks";
import { distance, local, utc } from "../lib/time";

type Tone = "good" | "bad" | "warn" | "calm" | "none";

const TONES: Record<string, Tone> = {
  active: "good",
  promoted: "good",
  promote: "good",
  completed: "good",
  pass: "good",
  champion: "good",
  running: "calm",
  queued: "calm",
  pending: "calm",
  held: "warn",
  paused: "warn",
  reduce_only: "warn",
  inconclusive: "warn",
  skipped: "warn",
  missed: "warn",
  interrupted: "warn",
  cancelled: "warn",
  unknown: "warn",
  rejected: "bad",
  reject: "bad",
  declined: "bad",
  failed: "bad",
  fail: "bad",
  halted: "bad",
};

/** A status in its colour. */
export function Badge({ status, tone, title }: { status: string; tone?: Tone; title?: string }) {
  return (
    <span className={`badge is-${tone ?? TONES[status] ?? "none"}`} title={title}>
      {status.replace(/_/g, " ")}
    </span>
  );
}

/** A moment in the reader's zone, with UTC on hover. */
export function Time({ at }: { at: string | null | undefined }) {
  return (
    <time dateTime={at ?? undefined} title={utc(at)}>
      {local(at)}
    </time>
  );
}

/** How far away a moment is. */
export function Ago({ at }: { at: string | null | undefined }) {
  const now = useNow(5_000);
  return (
    <time dateTime={at ?? undefined} title={`${local(at)} (${utc(at)})`}>
      {distance(at, now)}
    </time>
  );
}

export function Panel(props: { title: string; aside?: ReactNode; wide?: boolean; children: ReactNode }) {
  return (
    <section className={`panel${props.wide ? " wide" : ""}`} aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {props.aside}
      </header>
      {props.children}
    </section>
  );
}

/** A name with its figure. */
export function Figure(props: { name: string; children: ReactNode; large?: boolean; title?: string }) {
  return (
    <div title={props.title}>
      <dt>{props.name}</dt>
      <dd className={props.large ? "large" : undefined}>{props.children}</dd>
    </div>
  );
}

/** How much of something is done; unknown without a total. */
export function ProgressBar({ done, total, label }: { done: number; total: number; label: string }) {
  const isKnown = total > 0;
  const share = isKnown ? Math.min(1, done / total) : 0;
  return (
    <div
      className={`bar${isKnown ? "" : " is-unknown"}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={isKnown ? total : undefined}
      aria-valuenow={isKnown ? done : undefined}
    >
      <span style={isKnown ? { width: `${share * 100}%` } : undefined} />
    </div>
  );
}
