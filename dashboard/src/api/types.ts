import type { components } from "./schema";

type Schemas = components["schemas"];

/** A JSON object whose keys are not described. */
export type Loose = Record<string, unknown>;

/** The description says of a free object only that it is one. */
type With<T, Free extends keyof T> = Omit<T, Free> & { [Key in Free]: Loose };

export type Schedule = With<Schemas["ScheduleStatusView"], "config">;
export type Progress = Schemas["ProgressView"];
export type Verdict = Schemas["VerdictView"];
export type Check = Schemas["CheckView"];
export type Cycle = Schemas["CycleView"];
export type History = Schemas["History"];
export type NewContinuous = Partial<Schemas["NewContinuous"]>;
export type Verb = "start" | "pause" | "resume" | "stop" | "trigger";

export type Experiment = With<Schemas["ExperimentView"], "config" | "final_metrics">;
export type Experiments = Omit<Schemas["Experiments"], "experiments"> & { experiments: Experiment[] };
export type Iteration = With<Schemas["IterationView"], "metrics">;
export type Trade = Schemas["TradeView"];
export type NewTraining = Partial<Schemas["LaunchTraining"]>;

export type Pack = With<Schemas["PackView"], "config">;
export type DatasetConfig = With<Schemas["DatasetView"], "source_config" | "split_config">;

export type Data = Schemas["DataView"];
export type DataDetail = Schemas["DataDetailView"];
export type DataFigures = Schemas["FiguresView"];
export type AllData = Schemas["AllData"];

export type Model = Schemas["ModelView"];
export type ModelDetail = With<Schemas["ModelDetailView"], "hyperparameters">;
export type Promotion = Schemas["PromotionView"];
export type LineInfo = Schemas["LineView"];

export type Act = With<Schemas["ActView"], "details">;
export type Chain = Schemas["Chain"];

export type Session = Schemas["SessionView"];
export type LiveBar = Schemas["LiveBarView"];
export type LiveFill = Schemas["LiveFillView"];
export type LiveSwap = Schemas["LiveSwapView"];
export type LiveEvent = With<Schemas["LiveEventView"], "details">;
export type Watch = Schemas["WatchView"];
export type Rule = Schemas["RuleView"];
export type Challenger = Schemas["ChallengerView"];
export type StartPaper = Schemas["StartPaper"];
