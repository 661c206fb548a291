// A page of somebody else can neither read, nor act, nor listen.
import { createServer, type Server as Http } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "./support/server";
import { panel, startContinuous } from "./support/steps";
import { expect, test } from "./support/test";

test.use({
  allowed:
    /Failed to load resource|WebSocket connection to|CORS policy|frame-ancestors|X-Frame-Options|Framing/,
});

let server: Server;
let other: Http;
let elsewhere = "";
test.beforeAll(async () => {
  server = await Server.start();
  other = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end("<!doctype html><title>elsewhere</title><p>another page</p>");
  });
  await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
  elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
});
test.afterAll(async () => {
  other.closeAllConnections();
  other.close();
  await server.end();
});

/** What a fetch of the page came to: its text, or that it was refused. */
async function fetched({ url, init }: { url: string; init: RequestInit }): Promise<string> {
  try {
    const response = await fetch(url, init);
    return response.type === "opaque" ? "opaque" : `read: ${await response.text()}`;
  } catch {
    return "refused";
  }
}

/** What a socket came to: its first message, or that it was closed. */
async function listened({ url, token }: { url: string; token: string }): Promise<string> {
  return new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token }));
    socket.onmessage = ({ data }) => done(`heard: ${data}`);
    socket.onclose = ({ code }) => done(`closed: ${code}`);
  });
}

test("another origin reads nothing, with the token or without", async ({ page }) => {
  await page.goto(elsewhere);
  const bearer = { authorization: `Bearer ${server.token()}` };
  const paths = ["/api/schedules", "/api/health", "/api/openapi.json", "/metrics", "/"];
  for (const path of paths) {
    const url = `${server.origin}${path}`;
    for (const headers of [{}, bearer]) {
      expect(await page.evaluate(fetched, { url, init: { headers } }), path).toBe("refused");
    }
    const blind: RequestInit = { mode: "no-cors" };
    expect(await page.evaluate(fetched, { url, init: blind }), path).toMatch(/opaque|refused/);
  }
});

test("another origin changes nothing, by simple or by preflighted requests", async ({ page }) => {
  await page.goto(server.at("/continuous"));
  await startContinuous(page, { seconds: 3600, iterations: 4 });
  await expect(panel(page, "btcusd").getByText("active", { exact: true })).toBeVisible();
  await page.goto(elsewhere);
  const url = `${server.origin}/api/continuous/pause`;
  const body = "{}";
  const json = { authorization: `Bearer ${server.token()}`, "content-type": "application/json" };
  const tries: RequestInit[] = [
    { method: "POST", body, headers: { "content-type": "text/plain" } },
    { method: "POST", body, mode: "no-cors", headers: { "content-type": "text/plain" } },
    { method: "POST", body, mode: "no-cors", credentials: "include" },
    { method: "POST", body, headers: json },
    { method: "POST", body, headers: json, credentials: "include" },
  ];
  for (const init of tries) {
    expect(await page.evaluate(fetched, { url, init }), JSON.stringify(init)).toMatch(/refused|opaque/);
  }
  const { status } = await server.api<{ status: string }>("/api/continuous/status");
  expect(status).toBe("active");
});

test("another origin can't listen, even with the token", async ({ page }) => {
  const url = `${server.origin.replace("http", "ws")}/ws`;
  await page.goto(elsewhere);
  expect(await page.evaluate(listened, { url, token: server.token() })).toBe("closed: 1006");
  // The same words of the page itself are answered.
  await page.goto(server.at("/continuous"));
  expect(await page.evaluate(listened, { url, token: server.token() })).toContain("welcome");
});

test("a name that was pointed at this machine is refused", async ({ page }) => {
  const rebound = server.origin.replace("127.0.0.1", "rebound.test");
  const answer = await page.goto(`${rebound}/`);
  expect(answer?.status()).toBe(421);
  const init = { headers: { authorization: `Bearer ${server.token()}` } };
  expect(await page.evaluate(fetched, { url: `${rebound}/api/schedules`, init })).toContain('"status":421');
  const socket = { url: `${rebound.replace("http", "ws")}/ws`, token: server.token() };
  expect(await page.evaluate(listened, socket)).toBe("closed: 1006");
});

test("another page can't put this one into a frame", async ({ page }) => {
  await page.goto(elsewhere);
  await page.evaluate((url) => {
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    return new Promise((done) => {
      frame.onload = done;
    });
  }, server.at("/continuous"));
  await expect(page.frameLocator("iframe").getByRole("heading", { name: "Continuous training" })).toHaveCount(
    0,
  );
});
