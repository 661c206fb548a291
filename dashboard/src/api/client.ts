import { useAuth } from "../stores/auth";

/** A request that is not answered in this time has failed. */
const ANSWER_WAIT_MS = 70_000;

/** What went wrong, as the server's problem document (RFC 9457) or the network says it. */
export class ApiError extends Error {
  constructor(
    /** The HTTP status; 0 where no answer came. */
    readonly status: number,
    /** What it is, in a few words. */
    readonly title: string,
    /** What to do about it. */
    readonly detail: string,
  ) {
    super(detail || title);
  }
}

/** The words for `error`, for a person. */
export function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function problem(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const text = (key: string) => {
    const value = body && typeof body === "object" ? (body as Record<string, unknown>)[key] : undefined;
    return typeof value === "string" ? value : "";
  };
  return new ApiError(response.status, text("title") || `HTTP ${response.status}`, text("detail"));
}

/** Asks the server; an answer that is an error is thrown as {@link ApiError}. */
export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const { token, refuse } = useAuth.getState();
  const headers: Record<string, string> = { accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const init: RequestInit = { method, headers, signal: AbortSignal.timeout(ANSWER_WAIT_MS) };
  if (body !== undefined) init.body = JSON.stringify(body);
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new ApiError(0, "No answer", "The server does not answer. Is `orchestrate serve` running?");
  }
  if (!response.ok) {
    const error = await problem(response);
    if (response.status === 401) refuse(token);
    throw error;
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

export const get = <T>(path: string) => request<T>("GET", path);
export const post = <T>(path: string, body: unknown = {}) => request<T>("POST", path, body);
export const remove = (path: string) => request<void>("DELETE", path);

/** The part of an address behind the question mark; what is undefined is left out. */
export function query(values: Record<string, string | number | undefined | null>): string {
  const set = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(set.map(([key, value]) => [key, String(value)])).toString();
  return text ? `?${text}` : "";
}
