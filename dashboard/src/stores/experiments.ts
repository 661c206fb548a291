import { get, post, query, remove } from "../api/client";
import type { Experiment, Experiments, Iteration, NewTraining, Trade } from "../api/types";
import type { Message } from "../ws/messages";
import { textOf } from "../ws/messages";
import { paged } from "./paged";
import { resource } from "./resource";

/** Experiments of a page. */
const PAGE = 50;
/** Most completed trainings that a new schedule can continue from. */
const MOST_BASES = 200;
/** Most rows that the server tells at once. */
const MOST = 1000;

/** Completed trainings, newest first, under the key "all". */
export const useCompleted = resource<{ id: string; name: string }[]>(async () => {
  const list = await get<Experiments>(`/api/experiments${query({ status: "completed", limit: MOST_BASES })}`);
  return list.experiments.map(({ experiment_id: id, name }) => ({ id, name }));
});

/** Trainings of a status, newest first; all under the key "". */
export const { list: useExperiments, older: olderExperiments } = paged<Experiment>(
  async (status, before) => {
    const path = `/api/experiments${query({ status: status || undefined, limit: PAGE, before })}`;
    const page = await get<Experiments>(path);
    return { rows: page.experiments, next: page.next_before ?? null };
  },
  (experiment) => experiment.experiment_id,
);

/** One training. */
export const useExperiment = resource<Experiment>((id) =>
  get<Experiment>(`/api/experiments/${encodeURIComponent(id)}`),
);

/** What its iterations measured. */
export const useIterations = resource<Iteration[]>(async (id) => {
  const known: Iteration[] = useIterations.getState().entries[id]?.data ?? [];
  const after = known.at(-1)?.iteration;
  const path = `/api/experiments/${encodeURIComponent(id)}/iterations${query({ after, limit: MOST })}`;
  const more = await get<{ iterations: Iteration[] }>(path);
  return more.iterations.length > 0 ? [...known, ...more.iterations] : known;
});

/** The trades of its model on the bars that judged it. */
export const useTrades = resource<Trade[]>(
  async (id) => (await get<{ trades: Trade[] }>(`/api/experiments/${encodeURIComponent(id)}/trades`)).trades,
);

function again() {
  for (const key of Object.keys(useExperiments.getState().entries)) void useExperiments.getState().load(key);
}

/** Between two looks for a training that begins, ms. */
const LOOK_MS = 250;
/** Looks for it: it begins when its first bars are read. */
const MOST_LOOKS = 80;

/** Begins a training, and answers when its record is there, or after {@link MOST_LOOKS}. */
export async function launch(wanted: NewTraining): Promise<string> {
  const { experiment_id: id } = await post<{ experiment_id: string }>("/api/training/launch", wanted);
  for (let look = 0; look < MOST_LOOKS; look += 1) {
    const { experiments } = await get<Experiments>(`/api/experiments${query({ limit: PAGE })}`);
    if (experiments.some((it) => it.experiment_id === id)) break;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  again();
  return id;
}

/** Asks a training to stop. */
export async function cancel(id: string) {
  await post(`/api/training/${encodeURIComponent(id)}/cancel`);
  void useExperiment.getState().load(id);
}

/** Takes the record of a training away. */
export async function forget(id: string) {
  await remove(`/api/experiments/${encodeURIComponent(id)}`);
  again();
}

/** A message that may be about a training. */
export function heardExperiment(message: Message) {
  const id = textOf(message, "experiment_id");
  if (!message.type.startsWith("experiment_") && !message.type.startsWith("continuous_cycle_c")) return;
  again();
  if (useCompleted.getState().entries.all) void useCompleted.getState().load("all");
  if (id && useExperiment.getState().entries[id]) {
    void useExperiment.getState().load(id);
    void useIterations.getState().load(id);
  }
}
