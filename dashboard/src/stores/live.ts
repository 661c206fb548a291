import { get, post, query } from "../api/client";
import type { LiveBar, LiveEvent, LiveFill, LiveSwap, Session, StartPaper, Watch } from "../api/types";
import { later } from "../lib/later";
import type { Message } from "../ws/messages";
import { textOf } from "../ws/messages";
import { type Resource, resource } from "./resource";

/** Newest rows of each kind that are shown. */
const MOST_ROWS = 2000;
/** Most rows that the server tells at once. */
const PAGE = 1000;
/** Sessions that have ended and are listed. */
const ENDED = 50;
/** Ticks within this time are answered by one question, ms. */
const TICK_MS = 700;

/** All sessions: those that run first. Under the key "all". */
export const useSessions = resource<Session[]>(
  async () => (await get<{ sessions: Session[] }>(`/api/live/sessions${query({ limit: ENDED })}`)).sessions,
);

/** What a session's journal has told: the newest rows of each kind, in order. */
export interface Book {
  session: Session;
  bars: LiveBar[];
  fills: LiveFill[];
  swaps: LiveSwap[];
  events: LiveEvent[];
}

/** One session with its book. Only what is new is asked for. */
export const useBook: Resource<Book> = resource(async (id: string): Promise<Book> => {
  const path = `/api/live/sessions/${encodeURIComponent(id)}`;
  const known: Book | undefined = useBook.getState().entries[id]?.data;
  const session = await get<Session>(path);
  const [bars, fills, swaps, events] = await Promise.all([
    rows<LiveBar>(`${path}/bars`, "bars", known?.bars, session.bars),
    rows<LiveFill>(`${path}/fills`, "fills", known?.fills, session.fills),
    rows<LiveSwap>(`${path}/swaps`, "swaps", known?.swaps, session.swaps),
    rows<LiveEvent>(`${path}/events`, "events", known?.events, session.events),
  ]);
  return { session, bars, fills, swaps, events };
});

/** Who decides beside a session's champion; none before its watch has told anything. */
export const useShadows = resource<Watch | null>(async (id) => {
  const path = `/api/live/sessions/${encodeURIComponent(id)}/shadows`;
  return (await get<{ watch?: Watch | null }>(path)).watch ?? null;
});

/** The rows behind those that are known, or the newest ones. */
async function rows<T extends { number: number }>(
  path: string,
  kind: string,
  known: T[] | undefined,
  count: number,
): Promise<T[]> {
  let all = known ?? [];
  let after: number | null = all.at(-1)?.number ?? Math.max(0, count - MOST_ROWS);
  // A session goes on while it is read: what comes later is read the next time.
  for (let page = 0; after !== null && page <= MOST_ROWS / PAGE; page += 1) {
    const answer: Record<string, unknown> = await get(`${path}${query({ after, limit: PAGE })}`);
    all = [...all, ...(answer[kind] as T[])];
    after = (answer.next_after as number | null | undefined) ?? null;
  }
  return all === known ? known : all.slice(-MOST_ROWS);
}

/** What a session can be told. */
export type SessionVerb = "pause" | "resume" | "reduce_only" | "stop" | "kill" | "reload";

export async function tell(id: string, verb: SessionVerb, told: Record<string, unknown> = {}) {
  await post(`/api/live/sessions/${encodeURIComponent(id)}/${verb}`, told);
  void useBook.getState().load(id);
  void useSessions.getState().load("all");
}

/** Starts a trader on paper. */
export async function startPaper(wanted: StartPaper): Promise<string> {
  const { session_id: id } = await post<{ session_id: string }>("/api/live/start", wanted);
  void useSessions.getState().load("all");
  return id;
}

const ticked = new Map<string, () => void>();

function soon(id: string): () => void {
  const known = ticked.get(id);
  if (known) return known;
  const made = later(() => {
    if (useSessions.getState().entries.all) void useSessions.getState().load("all");
    if (useBook.getState().entries[id]) void useBook.getState().load(id);
    if (useShadows.getState().entries[id]) void useShadows.getState().load(id);
  }, TICK_MS);
  ticked.set(id, made);
  return made;
}

/** A message of a session. Its rows come from the journal, and are never made from the message. */
export function heardLive(message: Message) {
  const id = textOf(message, "session_id");
  if (message.type.startsWith("live_") && id) soon(id)();
}
