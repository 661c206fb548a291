import { useAuth } from "../stores/auth";
import { useConnection } from "../stores/connection";
import { heard } from "./heard";
import { LiveSocket } from "./socket";

const parts = {
  open: () => new WebSocket(`${window.location.origin.replace(/^http/, "ws")}/ws`),
  token: () => useAuth.getState().token,
  random: Math.random,
  now: Date.now,
  later(work: () => void, ms: number) {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

const socket = new LiveSocket(parts, {
  connecting: () => useConnection.setState({ link: "connecting", retryAt: null }),
  welcomed: () => useConnection.setState({ link: "open", hasBeenOpen: true, retryAt: null }),
  message(message) {
    heard(message);
    useConnection.setState({ seq: socket.seq });
  },
  lost: (retryAt) => useConnection.setState({ link: "waiting", retryAt }),
  refused: () => useAuth.getState().refuse(useAuth.getState().token),
});

/** Connects, now. */
export function reconnect() {
  socket.retry();
}

/** Keeps a connection, and takes a new token as it comes. */
export function stayConnected() {
  socket.retry();
  const comesBack = () => {
    if (useConnection.getState().link === "waiting") socket.retry();
  };
  window.addEventListener("online", comesBack);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") comesBack();
  });
  useAuth.subscribe((now, before) => {
    if (now.token !== before.token) socket.retry();
  });
}
