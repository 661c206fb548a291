/** A message of the socket. Its fields depend on its type; what is not known is passed over. */
export interface Message {
  type: string;
  /** Number of the state change; of anything else, that of the last state change before it. */
  seq?: number;
  time?: string;
  [field: string]: unknown;
}

/** The messages of a frame: one, or several at once. What is none is left out. */
export function messagesOf(frame: unknown): Message[] {
  if (typeof frame !== "string") return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(frame);
  } catch {
    return [];
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).filter(isMessage);
}

function isMessage(value: unknown): value is Message {
  return typeof value === "object" && value !== null && typeof (value as Message).type === "string";
}

/** A field that is a text. */
export function textOf(message: Message, key: string): string | null {
  const value = message[key];
  return typeof value === "string" ? value : null;
}

/** A field that is a number. */
export function numberOf(message: Message, key: string): number | null {
  const value = message[key];
  return typeof value === "number" ? value : null;
}
