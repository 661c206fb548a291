import { waitBefore } from "../lib/backoff";
import { type Message, messagesOf, numberOf } from "./messages";

/** The server closes with this when it refuses the token. */
const REFUSED = 4401;
/** The server pings every 20 s and tells much more often; a socket that opens and is not welcomed is given up. */
const WELCOME_WAIT_MS = 10_000;

/** What a socket is made of; tests hand in their own. */
export interface SocketParts {
  open(): WebSocket;
  token(): string | null;
  random(): number;
  now(): number;
  /** Runs `work` later; what it answers calls that off. */
  later(work: () => void, ms: number): () => void;
}

/** What a socket tells. */
export interface SocketEvents {
  connecting(): void;
  /** Messages will come from now on. */
  welcomed(): void;
  message(message: Message): void;
  /** It is lost, and tried again at `retryAt`. */
  lost(retryAt: number): void;
  /** The token is not, or no longer, the server's: nothing is tried until {@link LiveSocket.retry}. */
  refused(): void;
}

/** A connection that comes back by itself and goes on behind the last state change that it has heard. */
export class LiveSocket {
  #socket: WebSocket | null = null;
  #attempt = 0;
  #callOff: (() => void) | null = null;
  #seq: number | null = null;

  constructor(
    private readonly parts: SocketParts,
    private readonly events: SocketEvents,
  ) {}

  /** Number of the last state change that was heard. */
  get seq(): number | null {
    return this.#seq;
  }

  /** Connects now, whatever was planned. */
  retry() {
    this.#clear();
    this.#drop();
    this.#attempt += 1;
    this.events.connecting();
    const socket = this.parts.open();
    this.#socket = socket;
    this.#callOff = this.parts.later(() => socket.close(), WELCOME_WAIT_MS);
    socket.onopen = () => socket.send(JSON.stringify(this.#hello()));
    socket.onmessage = (event) => this.#heard(socket, event.data);
    socket.onclose = (event) => this.#closed(socket, event.code);
  }

  /** Ends it for good. */
  stop() {
    this.#clear();
    this.#drop();
  }

  #hello() {
    const hello: Record<string, unknown> = { type: "hello" };
    const token = this.parts.token();
    if (token) hello.token = token;
    if (this.#seq !== null) hello.after = this.#seq;
    return hello;
  }

  #heard(socket: WebSocket, frame: unknown) {
    if (socket !== this.#socket) return;
    for (const message of messagesOf(frame)) {
      if (message.type === "welcome") this.#welcome();
      this.#note(message);
      this.events.message(message);
    }
  }

  #note(message: Message) {
    const seq = numberOf(message, "seq");
    // Progress and ticks carry the number of a state change that may not have come yet.
    if (seq === null || message.volatile === true) return;
    if (message.type === "welcome") this.#seq ??= seq;
    else if (message.type === "snapshot") this.#seq = seq;
    else this.#seq = Math.max(this.#seq ?? 0, seq);
  }

  #welcome() {
    this.#clear();
    this.#attempt = 0;
    this.events.welcomed();
  }

  #closed(socket: WebSocket, code: number) {
    if (socket !== this.#socket) return;
    this.#clear();
    this.#socket = null;
    if (code === REFUSED) {
      this.events.refused();
      return;
    }
    const wait = waitBefore(Math.max(1, this.#attempt), this.parts.random());
    this.events.lost(this.parts.now() + wait);
    this.#callOff = this.parts.later(() => this.retry(), wait);
  }

  #clear() {
    this.#callOff?.();
    this.#callOff = null;
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
