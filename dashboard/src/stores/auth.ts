import { create } from "zustand";

const KEY = "walkforward.token";

interface Auth {
  /** What is shown to the server; none where it asks for none, or nobody has given one. */
  token: string | null;
  /** Whether the server has refused the token, or asked for one. */
  refused: boolean;
  /** Takes a new token, and tries again with it. */
  take(token: string): void;
  /** The server has refused `token`. Another one may have come meanwhile. */
  refuse(token: string | null): void;
}

/** The token in an address's fragment, `#token=..`. */
export function tokenOf(fragment: string): string | null {
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  return token?.trim() || null;
}

// A browser that keeps nothing, as in a private window, asks for the link again.
function kept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(token: string) {
  try {
    localStorage.setItem(KEY, token);
  } catch {
    // It is still known until the page is closed.
  }
}

export const useAuth = create<Auth>((set, get) => ({
  token: kept(),
  refused: false,
  take(token) {
    keep(token);
    set({ token, refused: false });
  },
  refuse(token) {
    if (get().token === token) set({ refused: true });
  },
}));

/** Takes the token out of the address bar, so that it is neither seen nor kept as a bookmark. */
export function takeFromAddress() {
  const token = tokenOf(window.location.hash);
  if (!token) return;
  useAuth.getState().take(token);
  const { pathname, search } = window.location;
  window.history.replaceState(window.history.state, "", pathname + search);
}
