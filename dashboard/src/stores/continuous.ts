import { create } from "zustand";
import { get, post, query, remove } from "../api/client";
import type { Cycle, History, NewContinuous, Schedule, Verb } from "../api/types";
import type { Message } from "../ws/messages";
import { numberOf, textOf } from "../ws/messages";
import { noteServerTime } from "./connection";
import { resource } from "./resource";

/** Cycles of a page of the history. */
const PAGE = 50;
/** Most cycles that the server tells at once. */
const MOST = 1000;

/** All schedules, under the key "all". */
export const useSchedules = resource<Schedule[]>(async () => {
  const { schedules } = await get<{ schedules: Schedule[] }>("/api/schedules");
  noteServerTime(schedules[0]?.now);
  return schedules;
});
export const ALL = "all";

/** The newest cycles of each schedule, as many as are shown already. */
export const useHistory = resource<History>((id) => {
  const known: number = useHistory.getState().entries[id]?.data?.cycles.length ?? 0;
  const limit = Math.min(MOST, Math.max(PAGE, known));
  return get<History>(`/api/continuous/history${query({ schedule_id: id, limit })}`);
});

interface Chosen {
  id: string | null;
  choose(id: string | null): void;
}

/** The schedule that the page is about. */
export const useChosen = create<Chosen>((set) => ({ id: null, choose: (id) => set({ id }) }));

/** The schedule that is shown: the chosen one while it exists, else the first that is not stopped, else the first. */
export function shown(schedules: Schedule[] | undefined, chosen: string | null): Schedule | undefined {
  const there = schedules?.filter((schedule) => schedule.status !== "removed") ?? [];
  return (
    there.find((schedule) => schedule.schedule_id === chosen) ??
    there.find((schedule) => schedule.status === "active") ??
    there[0]
  );
}

function put(schedule: Schedule) {
  const { patch, load } = useSchedules.getState();
  patch(ALL, (all) => {
    const isNew = !all.some((it) => it.schedule_id === schedule.schedule_id);
    return isNew
      ? [...all, schedule]
      : all.map((it) => (it.schedule_id === schedule.schedule_id ? schedule : it));
  });
  void load(ALL);
}

/** Moves a schedule: the verbs of the plan have routes of their own. */
export async function command(id: string, verb: Verb) {
  const own = verb === "stop" || verb === "pause" || verb === "resume";
  const path = own ? `/api/continuous/${verb}` : `/api/schedules/${encodeURIComponent(id)}/${verb}`;
  put(await post<Schedule>(path, own ? { schedule_id: id } : undefined));
}

/** Makes a schedule and starts it. */
export async function start(wanted: NewContinuous): Promise<Schedule> {
  const made = await post<Schedule>("/api/continuous/start", wanted);
  put(made);
  useChosen.getState().choose(made.schedule_id);
  return made;
}

/** Takes a schedule away; its history stays. */
export async function take(id: string) {
  await remove(`/api/schedules/${encodeURIComponent(id)}`);
  void useSchedules.getState().load(ALL);
}

/** More cycles of a schedule, older than those that are shown. */
export async function older(id: string) {
  const known = useHistory.getState().entries[id]?.data;
  if (!known?.next_before) return;
  const more = await get<History>(
    `/api/continuous/history${query({ schedule_id: id, limit: PAGE, before: known.next_before })}`,
  );
  useHistory.getState().patch(id, (now) => ({
    ...now,
    next_before: more.next_before,
    cycles: [...now.cycles, ...withoutKnown(more.cycles, now.cycles)],
  }));
}

function withoutKnown(cycles: Cycle[], known: Cycle[]): Cycle[] {
  const numbers = new Set(known.map((cycle) => cycle.cycle_number));
  return cycles.filter((cycle) => !numbers.has(cycle.cycle_number));
}

/** A message about a schedule: progress is taken as it is, anything else is asked for. */
export function heardContinuous(message: Message) {
  const id = textOf(message, "schedule_id");
  if (!message.type.startsWith("continuous_") || !id) return;
  if (message.type === "continuous_cycle_progress") {
    progress(id, message);
    return;
  }
  void useSchedules.getState().load(ALL);
  const { entries, load } = useHistory.getState();
  if (entries[id]) void load(id);
}

function progress(id: string, message: Message) {
  const cycle = numberOf(message, "cycle_number");
  if (cycle === null) return;
  const { entries, load, patch } = useSchedules.getState();
  const known = entries[ALL]?.data?.find((it) => it.schedule_id === id);
  // Progress may come behind the end of its cycle: whether it runs is asked for.
  if (known && known.running_cycle !== cycle) {
    void load(ALL);
    return;
  }
  patch(ALL, (all) =>
    all.map((it) => {
      if (it.schedule_id !== id) return it;
      const told = {
        cycle_number: cycle,
        stage: textOf(message, "stage") ?? it.progress?.stage ?? "training",
        iteration: numberOf(message, "iteration") ?? 0,
        total_iterations: numberOf(message, "total_iterations") ?? 0,
        message: textOf(message, "message") ?? "",
        eta_seconds: numberOf(message, "eta_seconds"),
      };
      return { ...it, progress: told };
    }),
  );
}
