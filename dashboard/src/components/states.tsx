import type { ReactNode } from "react";
import type { ApiError } from "../api/client";
import type { Entry } from "../stores/resource";

/** That there is nothing yet, and what to do about it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  );
}

/** Lines in the place of what is awaited. */
export function Loading({ lines = 3 }: { lines?: number }) {
  return (
    <div className="list" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines have no other name and never move
        <div key={line} className="ghost" style={{ width: `${92 - 14 * (line % 4)}%` }} />
      ))}
    </div>
  );
}

export function Failed({ error, again }: { error: ApiError; again?: () => void }) {
  return (
    <div className="state" role="alert">
      <strong>{error.title}</strong>
      {error.detail && <p>{error.detail}</p>}
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What is known, or that it is awaited or can't be had. */
export function Shown<T>(props: {
  entry: Entry<T>;
  again?: () => void;
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  const { data, error, loading } = props.entry;
  if (data !== undefined) {
    return (
      <>
        {error && error.status !== 0 && <p className="small warn">Not up to date: {error.detail}</p>}
        {props.children(data)}
      </>
    );
  }
  if (error && !loading) return <Failed error={error} again={props.again} />;
  return <Loading lines={props.lines} />;
}
