import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, request } from "../src/api/client";
import type { Schedule } from "../src/api/types";
import { takeFromAddress, tokenOf, useAuth } from "../src/stores/auth";
import {
  ALL,
  command,
  heardContinuous,
  older,
  shown,
  useHistory,
  useSchedules,
} from "../src/stores/continuous";
import { launch } from "../src/stores/experiments";
import { resource } from "../src/stores/resource";

interface Asked {
  method: string;
  url: string;
  body: unknown;
  token: string | undefined;
}

let asked: Asked[];
let answers: Record<string, { status?: number; body: unknown }>;

beforeEach(() => {
  asked = [];
  answers = {};
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const headers = init.headers as Record<string, string>;
    const body = init.body ? JSON.parse(String(init.body)) : undefined;
    asked.push({ method: init.method ?? "GET", url, body, token: headers.authorization });
    const answer = answers[`${init.method} ${url}`];
    if (!answer) throw new TypeError("no route");
    return new Response(JSON.stringify(answer.body), { status: answer.status ?? 200 });
  });
  useAuth.setState({ token: "abc", refused: false });
  useSchedules.setState({ entries: {} });
  useHistory.setState({ entries: {} });
});
afterEach(() => vi.unstubAllGlobals());

function schedule(id: string, status = "active"): Schedule {
  return {
    schedule_id: id,
    name: id,
    line: "default",
    status,
    current_cycle: 1,
    consecutive_failures: 0,
    config: {},
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    now: "2026-01-01T00:00:00Z",
  };
}

const know = (...schedules: Schedule[]) =>
  useSchedules.setState({ entries: { [ALL]: { data: schedules, loading: false } } });
const known = () => useSchedules.getState().entries[ALL]?.data ?? [];

describe("a token", () => {
  it("is taken from the fragment, kept, and gone from the address bar", () => {
    window.history.replaceState(null, "", "/continuous?x=1#token=t0ken");
    takeFromAddress();
    expect(useAuth.getState().token).toBe("t0ken");
    expect(localStorage.getItem("walkforward.token")).toBe("t0ken");
    expect(window.location.pathname + window.location.search + window.location.hash).toBe("/continuous?x=1");
  });

  it("is none where the fragment has none", () => {
    expect([tokenOf(""), tokenOf("#"), tokenOf("#token="), tokenOf("#other=1")]).toEqual(Array(4).fill(null));
  });

  it("that is refused is said once; an answer to an older one changes nothing", async () => {
    answers["GET /api/x"] = { status: 401, body: { title: "A token is needed", detail: "expired" } };
    await expect(request("GET", "/api/x")).rejects.toMatchObject({ status: 401, detail: "expired" });
    expect(useAuth.getState().refused).toBe(true);
    useAuth.getState().take("new");
    useAuth.getState().refuse("abc");
    expect(useAuth.getState().refused).toBe(false);
  });
});

describe("a request", () => {
  it("shows the token and says what the problem document says", async () => {
    answers["POST /api/x"] = { status: 409, body: { title: "Busy", detail: "a cycle runs" } };
    await expect(request("POST", "/api/x", { a: 1 })).rejects.toThrow("a cycle runs");
    expect(asked[0]).toEqual({ method: "POST", url: "/api/x", body: { a: 1 }, token: "Bearer abc" });
  });

  it("without an answer is an error with status 0", async () => {
    await expect(request("GET", "/api/gone")).rejects.toMatchObject({ status: 0 });
  });
});

describe("a resource", () => {
  it("keeps what it knows while newer data can't be had", async () => {
    let fails = false;
    const store = resource(async () => {
      if (fails) throw new ApiError(503, "later", "");
      return 7;
    });
    await store.getState().load("a");
    fails = true;
    await store.getState().load("a");
    expect(store.getState().entries.a).toMatchObject({ data: 7, loading: false, error: { status: 503 } });
  });

  it("asks once more, not twice, for whoever asks while it is asking", async () => {
    let count = 0;
    const store = resource(async () => {
      count += 1;
      return count;
    });
    const { load } = store.getState();
    await Promise.all([load("a"), load("a"), load("a")]);
    expect([count, store.getState().entries.a?.data]).toEqual([2, 2]);
  });

  it("keeps a bounded number of entries", async () => {
    const store = resource(async (key) => key);
    for (let at = 0; at < 80; at += 1) await store.getState().load(String(at));
    expect(Object.keys(store.getState().entries).length).toBe(64);
    expect(store.getState().entries["79"]?.data).toBe("79");
  });
});

describe("schedules", () => {
  it("that are shown are the chosen one, else an active one, and never a removed one", () => {
    const all = [schedule("a", "stopped"), schedule("b"), schedule("c", "removed")];
    expect(shown(all, "a")?.schedule_id).toBe("a");
    expect(shown(all, "c")?.schedule_id).toBe("b");
    expect(shown(all, null)?.schedule_id).toBe("b");
    expect(shown([], null)).toBeUndefined();
  });

  it("move by progress without a question", () => {
    know({ ...schedule("a"), running_cycle: 4 }, schedule("b"));
    const told = { cycle_number: 4, iteration: 3, total_iterations: 10, stage: "training" };
    heardContinuous({ type: "continuous_cycle_progress", schedule_id: "a", ...told });
    expect(known()[0]?.progress).toMatchObject({ iteration: 3, total_iterations: 10, stage: "training" });
    expect([known()[1]?.progress, asked]).toEqual([undefined, []]);
  });

  it("don't run again because progress came behind the end of its cycle", async () => {
    know(schedule("a"));
    answers["GET /api/schedules"] = { body: { schedules: [schedule("a")] } };
    heardContinuous({ type: "continuous_cycle_progress", schedule_id: "a", cycle_number: 4, iteration: 9 });
    await vi.waitFor(() => expect(asked.map(({ url }) => url)).toEqual(["/api/schedules"]));
    expect(known()[0]).toEqual(schedule("a"));
  });

  it("are asked for again after a state change, with the history that is shown", async () => {
    know(schedule("a"));
    useHistory.setState({ entries: { a: { data: { schedule_id: "a", cycles: [] }, loading: false } } });
    heardContinuous({ type: "continuous_cycle_complete", schedule_id: "a", cycle_number: 4 });
    heardContinuous({ type: "model_promoted", schedule_id: "a" });
    await vi.waitFor(() => expect(asked.length).toBe(2));
    expect(asked.map(({ url }) => url)).toEqual([
      "/api/schedules",
      "/api/continuous/history?schedule_id=a&limit=50",
    ]);
  });

  it("are moved by the plan's routes, and triggered by their own", async () => {
    know(schedule("a b"));
    answers["POST /api/continuous/pause"] = { body: schedule("a b", "paused") };
    answers["POST /api/schedules/a%20b/trigger"] = { body: schedule("a b") };
    answers["GET /api/schedules"] = { body: { schedules: [schedule("a b", "paused")] } };
    await command("a b", "pause");
    expect(asked[0]).toMatchObject({ url: "/api/continuous/pause", body: { schedule_id: "a b" } });
    await vi.waitFor(() => expect(known()[0]?.status).toBe("paused"));
    await command("a b", "trigger");
    expect(asked.some(({ url }) => url === "/api/schedules/a%20b/trigger")).toBe(true);
  });

  it("keep what they were when a command is refused", async () => {
    know(schedule("a"));
    answers["POST /api/continuous/stop"] = { status: 409, body: { title: "No", detail: "not now" } };
    await expect(command("a", "stop")).rejects.toThrow("not now");
    expect(known()[0]?.status).toBe("active");
  });
});

describe("a history", () => {
  it("goes on behind its last page without a cycle twice", async () => {
    const cycle = (cycle_number: number) => ({ cycle_number });
    const first = { schedule_id: "a", cycles: [cycle(3), cycle(2)], next_before: 2 };
    useHistory.setState({ entries: { a: { data: first as never, loading: false } } });
    answers["GET /api/continuous/history?schedule_id=a&limit=50&before=2"] = {
      body: { schedule_id: "a", cycles: [cycle(2), cycle(1)], next_before: null },
    };
    await older("a");
    const now = useHistory.getState().entries.a?.data;
    expect(now?.cycles.map((it) => it.cycle_number)).toEqual([3, 2, 1]);
    await older("a");
    expect(asked.length).toBe(1);
  });
});

describe("a training", () => {
  it("is begun when its record is there", async () => {
    answers["POST /api/training/launch"] = { body: { experiment_id: "new" } };
    answers["GET /api/experiments?limit=50"] = { body: { experiments: [] } };
    let isBegun = false;
    const begun = launch({ tags: [] }).then((id) => {
      isBegun = true;
      return id;
    });
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(2));
    expect(isBegun).toBe(false);
    answers["GET /api/experiments?limit=50"] = { body: { experiments: [{ experiment_id: "new" }] } };
    expect(await begun).toBe("new");
  });
});
