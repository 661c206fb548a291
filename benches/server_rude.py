"""Requests that no description allows and no client library sends: raw bytes, slow bodies, floods. See server_fuzz.py."""
import json
import socket
import time

# Seconds that an answer may take on a slow machine.
LIMIT_S = 90
# Longest body that the server takes, and the most of an answer's head that is looked for.
MAX_BODY_BYTES, MAX_HEAD_BYTES = 256 << 10, 64 << 10


class Answer:
    """A status with its head and body; status 0 is a connection that was closed without an answer, -1 one that hangs."""

    def __init__(self, raw, hangs=False):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if raw.startswith(b"HTTP/1.") else -int(hangs)
        self.headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:])}


def exchange(world, raw, pieces=1, pause_s=0.0):
    """Sends bytes, in pieces if wanted, and reads until the other end closes."""
    host, port = world.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=LIMIT_S) as connection:
        size, got = -(-len(raw) // pieces), b""
        try:
            for start in range(0, len(raw), size):
                connection.sendall(raw[start : start + size])
                time.sleep(pause_s)
            while chunk := connection.recv(65_536):
                got += chunk
        except (ConnectionResetError, BrokenPipeError):
            # Whoever is refused before the end of a body may see the end of the connection first.
            pass
        except TimeoutError:
            return Answer(got, hangs=True)
    return Answer(got)


def request(world, method, path, headers=(), body=b"", token=True, host=None):
    host = host or world.url.removeprefix("http://")
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", "connection: close", *headers]
    lines += [f"authorization: Bearer {world.trade}"] if token else []
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


JSON = "content-type: application/json"
START = "/api/continuous/start"
PACKS = "/api/packs"


def bodies(world):
    """What is sent as a body, and what may be answered."""
    nested = b'{"config":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    twice = b'{"id":"twice","id":"twice","name":"Twice","config":{"iterations":2}}'
    chunked = "transfer-encoding: chunked"
    post = lambda body, *headers: request(world, "POST", PACKS, [JSON, *headers], body)
    return [
        ("a body above the limit", post(b" " * (MAX_BODY_BYTES + 1)), {413, 0}),
        ("a body that says it is huge", post(b"{}", f"content-length: {1 << 60}"), {413, 0}),
        ("a body above the limit in chunks", post((b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 5, chunked), {413, 0}),
        ("a chunk that is none", post(b"zz\r\nx\r\n", chunked), {400, 0}),
        ("a body that does not end", post(b"10\r\n{", chunked), {408}),
        ("lists in lists", post(nested), {400}),
        ("a key twice", post(twice), {400, 422}),
        ("no UTF-8", post(b'{"id":"\xff\xfe","name":"\xc3("}'), {400}),
        ("half a surrogate", post(b'{"id":"\\ud800","name":"x","config":{}}'), {400}),
        ("a number beyond all bounds", post(b'{"id":"n","name":"n","config":{"iterations":1e999}}'), {400, 422}),
        ("a null character", post(b'{"id":"n\\u0000","name":"n","config":{}}'), {400, 422}),
        ("nothing", post(b""), {400}),
        ("more behind the end", post(b'{"id":"n","name":"n","config":{}} x'), {400}),
        ("a form", request(world, "POST", PACKS, ["content-type: application/x-www-form-urlencoded"], b"id=1"), {415}),
        ("no content type", request(world, "POST", PACKS, [], b"{}"), {415}),
        ("a strange content type", request(world, "POST", PACKS, ["content-type: \xff\xfe/;;;"], b"{}"), {415}),
        ("packed JSON", post(b"\x1f\x8b\x08\x00", "content-encoding: gzip"), {400, 415}),
        ("a length that is no number", post(b"{}", "content-length: two"), {400, 0}),
        ("two lengths", post(b"{}", "content-length: 2", "content-length: 3"), {400, 0}),
        ("length and chunks", post(b"0\r\n\r\n", "content-length: 5", "transfer-encoding: chunked"), {400, 0}),
    ]


def places(world):
    """Places and methods that nobody should ask for, and what may be answered."""
    get = lambda path, *headers: request(world, "GET", path, headers)
    return [
        ("a slash in an id", get("/api/schedules/a%2Fb"), {404, 422}),
        ("a way out of the folder", get("/api/models/..%2F..%2Fetc%2Fpasswd"), {404, 422}),
        ("a way out in plain", get("/api/models/../../../etc/passwd"), {404}),
        ("a way out twice encoded", get("/api/lines/%252e%252e%252fdata/evidence"), {404, 422}),
        ("a way out of the page", get("/assets/..%2F..%2Fdata%2Fapi-tokens.json"), {200, 404}),
        ("an id that is no UTF-8", get("/api/schedules/%ff%fe"), {400, 404, 422}),
        ("a null character in an id", get("/api/schedules/a%00b"), {400, 404, 422}),
        ("a query that is no UTF-8", get("/api/experiments?line=%ff"), {400, 404, 422}),
        ("a key of the query twice", get("/api/experiments?limit=1&limit=2"), {400}),
        ("a percent sign alone", get("/api/schedules/%"), {400, 404, 422}),
        ("an address of 60 kB", get("/api/schedules/" + "x" * 60_000), {404, 414, 422, 431, 0}),
        ("an address of 1 MB", get("/api/schedules/" + "x" * 1_000_000), {414, 431, 0}),
        ("99 headers", get("/api/health", *[f"x-{n}: y" for n in range(90)]), {200}),
        ("1,000 headers", get("/api/health", *[f"x-{n}: y" for n in range(1_000)]), {431, 400, 0}),
        ("a header of 1 MB", get("/api/health", "x-long: " + "y" * 1_000_000), {431, 400, 0}),
        ("a header that is no UTF-8", get("/api/health", "x-bytes: \xff\xfe"), {200}),
        ("a token that is no UTF-8", request(world, "GET", "/api/lines", ["authorization: Bearer \xff"], token=False), {401}),
        ("two tokens", get("/api/lines", "authorization: Bearer x"), {200, 400, 401}),
        ("another host", request(world, "GET", "/api/health", host="evil.example"), {421}),
        ("another origin", get("/api/lines", "origin: http://evil.example"), {403}),
        ("HEAD", request(world, "HEAD", "/api/health"), {200, 405}),
        ("OPTIONS", request(world, "OPTIONS", "/api/lines"), {200, 204, 405}),
        ("TRACE", request(world, "TRACE", "/api/lines"), {405}),
        ("CONNECT", request(world, "CONNECT", "/api/lines"), {400, 404, 405, 0}),
        ("a method of one's own", request(world, "BREW", "/api/lines"), {405}),
        ("another place's whole address", get("http://evil.example/api/health"), {421}),
        ("an upgrade to something", get("/api/lines", "connection: upgrade", "upgrade: h2c"), {200}),
        ("a WebSocket that is none", get("/ws"), {400}),
        ("HTTP/2 without asking", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, 0}),
        ("HTTP/0.9", b"GET /\r\n\r\n", {400, 0}),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, {400, 0}),
    ]


def judge(world, what, answer, allowed):
    """What is wrong with an answer; nothing where it is a documented one."""
    text = answer.body.decode("utf-8", "replace")
    if answer.status not in allowed:
        return [f"{what}: {answer.status} {text[:300]!r}, expected one of {sorted(allowed)}"]
    secrets = [world.dir, world.read, world.trade, "panicked", ".rs:", "root:x:"]
    wrong = [f"{what}: the answer has '{secret}'" for secret in secrets if secret in text]
    # What can't be read as a request is refused by the HTTP library, with an empty body.
    if answer.status >= 400 and text:
        media = answer.headers.get("content-type", "")
        if media != "application/problem+json" or json.loads(text)["status"] != answer.status:
            wrong.append(f"{what}: {answer.status} is no problem document: {media} {text[:300]!r}")
    return wrong


def slow_and_many(world):
    """Those who take their time, and those who come in numbers, hold up nobody."""
    host, port = world.url.removeprefix("http://").split(":")
    body = b'{"id":"slow","name":"Slow","config":{"iterations":2}}'
    slow = exchange(world, request(world, "POST", PACKS, [JSON], body), pieces=20, pause_s=0.1)
    wrong = judge(world, "a body that comes slowly", slow, {201, 409})
    open_ones = [socket.create_connection((host, int(port)), timeout=LIMIT_S) for _ in range(300)]
    for connection in open_ones[::2]:
        connection.sendall(b"GET /api/health HTTP/1.1\r\nhost:")
    began = time.monotonic()
    beside = exchange(world, request(world, "GET", "/api/lines"))
    wrong += judge(world, "a request beside 300 connections that say nothing", beside, {200})
    if time.monotonic() - began > 10:
        wrong.append("a request beside 300 connections that say nothing took more than 10 s")
    # Each that has not asked in time is closed.
    for connection in open_ones:
        try:
            while connection.recv(4_096):
                pass
        except TimeoutError:
            wrong.append("a connection that does not say what it wants is kept open")
            break
        except ConnectionResetError:
            pass
    for connection in open_ones:
        connection.close()
    return wrong


def ask_all(world):
    """Asks everything; what was wrong."""
    wrong = []
    for what, raw, allowed in bodies(world) + places(world):
        wrong += judge(world, what, exchange(world, raw), allowed)
    wrong += slow_and_many(world)
    print(f"== rude requests: {len(wrong)} things are wrong", flush=True)
    return wrong
