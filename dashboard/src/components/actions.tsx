import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { told } from "../api/client";

/** Longest reason that the server takes. */
const MOST_REASON = 500;

interface ActionProps {
  label: string;
  kind?: "main" | "danger" | "plain";
  disabled?: boolean;
  /** Said to the person before it is done; without it, it is done at once. */
  confirm?: ReactNode;
  /** Whether a reason has to be given. */
  reason?: boolean;
  act: (reason: string) => Promise<unknown>;
}

/** A button that does something at the server: it says when that fails, and asks first where that is wise. */
export function Action(props: ActionProps) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const act = async (reason: string) => {
    setBusy(true);
    setError(null);
    try {
      await props.act(reason);
      setAsking(false);
    } catch (failed) {
      setError(told(failed));
    } finally {
      setBusy(false);
    }
  };
  const click = () => (props.confirm ? setAsking(true) : void act(""));
  return (
    <>
      <button
        type="button"
        className={props.kind && `is-${props.kind}`}
        disabled={props.disabled || busy}
        onClick={click}
      >
        {props.label}
      </button>
      {error && !asking && (
        <span className="bad small" role="alert">
          {error}
        </span>
      )}
      {asking && (
        <Confirm {...props} busy={busy} error={error} done={() => setAsking(false)} confirmed={act} />
      )}
    </>
  );
}

interface ConfirmProps extends ActionProps {
  busy: boolean;
  error: string | null;
  done: () => void;
  confirmed: (reason: string) => Promise<void>;
}

function Confirm({ label, confirm, reason: asksReason, busy, error, done, confirmed }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const [reason, setReason] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  const isReady = !busy && (!asksReason || reason.trim() !== "");
  return (
    <dialog ref={dialog} aria-labelledby={title} onClose={done}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // A reason is one line.
          if (isReady) void confirmed(reason.trim().replace(/\s+/g, " "));
        }}
      >
        <h2 id={title}>{label}?</h2>
        <div>{confirm}</div>
        {asksReason && (
          <label className="field">
            Reason
            <textarea
              rows={2}
              required
              maxLength={MOST_REASON}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
            />
            <span className="hint">It is recorded.</span>
          </label>
        )}
        {error && (
          <p className="bad" role="alert">
            {error}
          </p>
        )}
        <div className="row">
          <button type="button" onClick={done}>
            Leave it
          </button>
          <button type="submit" className="is-danger" disabled={!isReady}>
            {busy ? "…" : label}
          </button>
        </div>
      </form>
    </dialog>
  );
}
