import { create } from "zustand";

/** How the live connection is. */
export type Link = "connecting" | "open" | "waiting";

interface Connection {
  link: Link;
  /** Whether it was ever open: before, nothing was lost. */
  hasBeenOpen: boolean;
  /** When the next try is, ms; none while one runs. */
  retryAt: number | null;
  /** Number of the last state change that was heard; none before the first. */
  seq: number | null;
  /** How far the server's clock is ahead of ours, ms. */
  skew: number;
}

export const useConnection = create<Connection>(() => ({
  link: "connecting",
  hasBeenOpen: false,
  retryAt: null,
  seq: null,
  skew: 0,
}));

/** Learns from an answer what time it is at the server. */
export function noteServerTime(text: string | undefined) {
  const at = text ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) useConnection.setState({ skew: at - Date.now() });
}
