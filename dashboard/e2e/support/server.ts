// A real `orchestrate serve` in a folder of its own, and everything that it starts.
import { type ChildProcess, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Where the binaries are, with the page embedded. */
const BINARIES = resolve(
  process.env.WALKFORWARD_BIN_DIR ?? join(import.meta.dirname, "..", "..", "..", "target", "release"),
);
/** Longest wait for what a server does, ms. */
const PATIENCE_MS = 60_000;
/** Bars after which a trader on made-up bars ends: more than a walk waits for. */
const TRADER_BARS = 20_000;
/** Between two looks, ms. */
const LOOK_MS = 50;

/** Small windows, and thresholds that let every working model through: the walk is about the page. */
const SETTINGS = `
[data]
timeframe = "1h"
window_bars = 1500
holdout_bars = 300

[training]
iterations = 4
seed = 7

[gate]
min_win_rate = 0.0
max_drawdown = 1.0
min_pnl_per_trade = -1.0
min_judged_bars = 20

[schedule]
on_no_new_bars = "run"
`;

/** Looks again and again until there is an answer. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
) {
  const last = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > last) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

function program(name: string): string {
  const path = join(BINARIES, name);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(
      `there is no program '${path}': build it (cargo build --release), or name its folder in WALKFORWARD_BIN_DIR`,
    );
  }
  return path;
}

/** Processes that run in a folder: a trader and a worker run where their server was started. */
function processesIn(folder: string): number[] {
  const numbers = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return numbers.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      return false;
    }
  });
}

/** Where a walk's folders are: in the system's folder for such, under a name of this run alone. */
export const FOLDERS = join(tmpdir(), `walkforward-walk-${process.env.WALKFORWARD_WALK ?? process.pid}-`);

/** Ends every process of a folder, and waits until they are gone. */
export async function clear(folder: string) {
  await until(`the end of the processes in ${folder}`, () => {
    const left = processesIn(folder);
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
    return left.length === 0;
  });
}

/** A server, its folder, and what it was reached by. */
export class Server {
  #child: ChildProcess | null = null;
  #said = "";
  #port = 0;
  readonly folder = mkdtempSync(FOLDERS);
  /** The link that the first start printed, with its token. */
  link = "";

  /** Starts one in an empty folder. */
  static async start(): Promise<Server> {
    const server = new Server();
    writeFileSync(join(server.folder, "walkforward.toml"), SETTINGS);
    try {
      await server.again();
    } catch (error) {
      await server.end();
      throw error;
    }
    server.link = /http:\/\/\S+#token=\S+/.exec(server.#said)?.[0] ?? "";
    return server;
  }

  /** Starts it, at the address that it had. */
  async again() {
    const own = Object.entries(process.env).filter(
      ([name]) => !/^(WALKFORWARD|APCA|EVAL|MIN_|MAX_)/.test(name),
    );
    this.#said = "";
    const child = spawn(
      program("orchestrate"),
      ["serve", "--config", "walkforward.toml", "--listen", `127.0.0.1:${this.#port}`],
      {
        cwd: this.folder,
        env: { ...Object.fromEntries(own), WALKFORWARD_BARS: String(TRADER_BARS) },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const hear = (text: Buffer) => {
      this.#said += text.toString();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    this.#child = child;
    const port = await until(`the address of a server in ${this.folder}`, () => {
      if (child.exitCode !== null) throw new Error(`the server ended (${child.exitCode}): ${this.#said}`);
      return /page: http:\/\/127\.0\.0\.1:(\d+)/.exec(this.#said)?.[1];
    });
    this.#port = Number(port);
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The token of a scope. */
  token(scope: "read" | "trade" = "trade"): string {
    return JSON.parse(readFileSync(join(this.folder, "data", "api-tokens.json"), "utf8"))[scope];
  }

  /** The address of a page, with a token. */
  at(path: string): string {
    return `${this.origin}${path}#token=${this.token()}`;
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: "SIGTERM" | "SIGKILL") {
    const child = this.#child;
    if (!child) return;
    child.kill(signal);
    await until("the server's end", () => child.exitCode !== null || child.signalCode !== null);
    this.#child = null;
  }

  /** Makes it forget its tokens, as somebody does who has lost one. */
  async withNewTokens() {
    await this.stop("SIGTERM");
    rmSync(join(this.folder, "data", "api-tokens.json"));
    await this.again();
  }

  /** Ends everything that runs in its folder, and removes that. */
  async end() {
    await this.stop("SIGKILL");
    await clear(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Asks over the interface; an answer that is an error is thrown. */
  async api<T = Record<string, unknown>>(path: string, body?: unknown): Promise<T> {
    const headers = { authorization: `Bearer ${this.token()}`, "content-type": "application/json" };
    const sent = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
    const response = await fetch(`${this.origin}${path}`, sent);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Trains a model, and waits until it is champion. */
  async train(id: string): Promise<string> {
    await this.api("/api/training/launch", { id, name: id });
    return until(`the model of ${id}`, async () => {
      const all = await this.api<{ experiments: Experiment[] }>("/api/experiments");
      return all.experiments.find((it) => it.experiment_id === id)?.model_id ?? undefined;
    });
  }
}

interface Experiment {
  experiment_id: string;
  model_id: string | null;
}
