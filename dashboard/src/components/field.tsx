import { type InputHTMLAttributes, useId } from "react";

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value"> {
  label: string;
  hint?: string;
  value: string;
  change: (value: string) => void;
  /** What may be chosen; anything else can be typed. */
  choices?: string[];
}

/** A field of a form with its label and a hint. */
export function Field({ label, hint, value, change, choices, ...input }: FieldProps) {
  const list = useId();
  return (
    <label className="field">
      {label}
      <input
        {...input}
        value={value}
        list={choices ? list : undefined}
        onChange={(event) => change(event.target.value)}
      />
      {choices && (
        <datalist id={list}>
          {choices.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
      {hint && <span className="hint">{hint}</span>}
    </label>
  );
}

interface ChoiceProps {
  label: string;
  hint?: string;
  value: string;
  change: (value: string) => void;
  /** Value and name. */
  options: [string, string][];
}

/** A field whose values are known. */
export function Choice({ label, hint, value, change, options }: ChoiceProps) {
  return (
    <label className="field">
      {label}
      <select value={value} onChange={(event) => change(event.target.value)}>
        {options.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
      {hint && <span className="hint">{hint}</span>}
    </label>
  );
}
