import { useEffect, useState } from "react";
import { useConnection } from "../stores/connection";
import type { Entry, Resource } from "../stores/resource";

/** How often what is shown is asked for again while no messages come, ms. */
const POLL_ALONE_MS = 5_000;
/** And while they come. */
const POLL_BESIDE_MS = 60_000;

/** The server's time, again and again. */
export function useNow(everyMs = 1000): number {
  const skew = useConnection((state) => state.skew);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now + skew;
}

const NOTHING: Entry<never> = { loading: true };

/** What is known under `key`: asked for at once, after each reconnection, and now and then. No key asks for nothing. */
export function useLoaded<T>(store: Resource<T>, key: string | null): Entry<T> {
  const entry = store((state) => (key === null ? undefined : state.entries[key]));
  const isOpen = useConnection((state) => state.link === "open");
  useEffect(() => {
    if (key === null) return;
    const load = () => void store.getState().load(key);
    load();
    const timer = setInterval(load, isOpen ? POLL_BESIDE_MS : POLL_ALONE_MS);
    return () => clearInterval(timer);
  }, [store, key, isOpen]);
  return entry ?? NOTHING;
}

/** The document's title while the page is shown. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · walkforward`;
  }, [title]);
}
