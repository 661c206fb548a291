import { create, type StoreApi, type UseBoundStore } from "zustand";
import { ApiError } from "../api/client";

/** Something that the server tells, under a key such as an id. */
export interface Entry<T> {
  data?: T;
  error?: ApiError;
  /** Whether an answer is awaited. */
  loading: boolean;
}

interface ResourceState<T> {
  entries: Record<string, Entry<T>>;
  /** Asks again. A question that is under way is asked once more when its answer has come. */
  load(key: string): Promise<void>;
  /** Changes what is known, as when a message tells it. */
  patch(key: string, change: (data: T) => T): void;
}

export type Resource<T> = UseBoundStore<StoreApi<ResourceState<T>>>;

/** Most entries that are kept; the oldest goes. */
const MOST_ENTRIES = 64;

function asError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, "It did not work", String(error));
}

/** A store of what `ask` answers for each key. Data stays while newer data is asked for, also when that fails. */
export function resource<T>(ask: (key: string) => Promise<T>): Resource<T> {
  const again = new Set<string>();
  const running = new Map<string, Promise<void>>();
  return create<ResourceState<T>>((set, get) => {
    const put = (key: string, change: Partial<Entry<T>>) =>
      set(({ entries }) => {
        const { [key]: old, ...others } = entries;
        const names = Object.keys(others);
        if (!old && names.length >= MOST_ENTRIES && names[0] !== undefined) delete others[names[0]];
        return { entries: { ...others, [key]: { loading: false, ...old, ...change } } };
      });
    const once = async (key: string) => {
      put(key, { loading: true });
      try {
        put(key, { data: await ask(key), error: undefined, loading: false });
      } catch (error) {
        put(key, { error: asError(error), loading: false });
      }
    };
    const untilNew = async (key: string) => {
      do {
        again.delete(key);
        await once(key);
      } while (again.has(key));
      running.delete(key);
    };
    return {
      entries: {},
      load(key) {
        const under = running.get(key);
        if (under) {
          again.add(key);
          return under;
        }
        const started = untilNew(key);
        running.set(key, started);
        return started;
      },
      patch(key, change) {
        const data = get().entries[key]?.data;
        if (data !== undefined) put(key, { data: change(data) });
      },
    };
  });
}
