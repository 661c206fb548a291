import type { NewContinuous } from "../api/types";

/** What somebody has filled in, as texts. */
export interface Setup {
  name: string;
  id: string;
  line: string;
  base: string;
  pack: string;
  dataset: string;
  symbol: string;
  timeframe: string;
  interval: string;
  cron: string;
  window: string;
  iterations: string;
  multiplier: string;
  preset: string;
  autoDeploy: boolean;
}

/** The plan's values. */
export const FIRST_SETUP: Setup = {
  name: "",
  id: "",
  line: "",
  base: "",
  pack: "",
  dataset: "",
  symbol: "BTC/USD",
  timeframe: "1h",
  interval: "6",
  cron: "",
  window: "8760",
  iterations: "10",
  multiplier: "0.2",
  preset: "evidence",
  autoDeploy: true,
};

const text = (value: string) => value.trim() || undefined;
const number = (value: string) => (value.trim() === "" ? undefined : Number(value));

/** What is asked of the server; what is empty is left to its settings. */
export function asked(setup: Setup): NewContinuous {
  const all: NewContinuous = {
    id: text(setup.id),
    name: text(setup.name),
    line: text(setup.line),
    base_experiment_id: text(setup.base),
    hp_pack_id: text(setup.pack),
    dataset_id: text(setup.dataset),
    symbol: text(setup.symbol),
    timeframe: text(setup.timeframe),
    interval_hours: setup.cron.trim() ? undefined : number(setup.interval),
    cron: text(setup.cron),
    window_candles: number(setup.window),
    iterations_per_cycle: number(setup.iterations),
    fine_tune_lr_multiplier: number(setup.multiplier),
    preset: text(setup.preset),
    auto_deploy: setup.autoDeploy,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** What can't be meant, before the server is asked; none when nothing is wrong. */
export function wrong(setup: Setup): string | null {
  const bad = (value: string, is: (n: number) => boolean) => value.trim() !== "" && !is(Number(value));
  if (!setup.cron.trim() && (setup.interval.trim() === "" || bad(setup.interval, (n) => n > 0))) {
    return "The interval has to be above 0 hours, or give a cron expression.";
  }
  if (bad(setup.window, (n) => Number.isInteger(n) && n > 0))
    return "The window has to be a whole number of bars.";
  if (bad(setup.iterations, (n) => Number.isInteger(n) && n > 0)) {
    return "The iterations have to be a whole number above 0.";
  }
  if (bad(setup.multiplier, (n) => n > 0 && n <= 1)) return "The multiplier has to be above 0 and at most 1.";
  return null;
}
