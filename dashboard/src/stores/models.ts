import { get, post, query } from "../api/client";
import type { LineInfo, Loose, Model, ModelDetail, Promotion } from "../api/types";
import type { Message } from "../ws/messages";
import { paged } from "./paged";
import { resource } from "./resource";

/** Models of a page. */
const PAGE = 100;

/** All lines, under the key "all". */
export const useLines = resource<LineInfo[]>(
  async () => (await get<{ lines: LineInfo[] }>("/api/lines")).lines,
);

/** Models of a line, newest first; of all lines under the key "". */
export const { list: useModels, older: olderModels } = paged<Model>(
  async (line, before) => {
    const path = `/api/models${query({ line: line || undefined, limit: PAGE, before })}`;
    const page = await get<{ models: Model[]; next_before?: string | null }>(path);
    return { rows: page.models, next: page.next_before ?? null };
  },
  (model) => model.model_id,
);

/** One model. */
export const useModel = resource<ModelDetail>((id) =>
  get<ModelDetail>(`/api/models/${encodeURIComponent(id)}`),
);

/** Who was champion of a line when, newest first. */
export const usePromotions = resource<Promotion[]>(async (line) => {
  const path = `/api/lines/${encodeURIComponent(line)}/promotions`;
  return (await get<{ promotions: Promotion[] }>(path)).promotions;
});

/** What is known about the arms of a line. */
export const useEvidence = resource<Loose[]>(async (line) => {
  return (await get<{ arms: Loose[] }>(`/api/lines/${encodeURIComponent(line)}/evidence`)).arms;
});

function again() {
  for (const store of [useLines, useModels, useModel, usePromotions, useEvidence]) {
    const { entries, load } = store.getState();
    for (const key of Object.keys(entries)) void load(key);
  }
}

/** What can be decided about a model. */
export type Decision = "approve" | "reject" | "pin" | "unpin";

export async function decide(id: string, decision: Decision, reason: string) {
  await post(`/api/models/${encodeURIComponent(id)}/${decision}`, { reason });
  again();
}

/** Approves a model against its verdict. */
export async function overrule(id: string, reason: string) {
  await post(`/api/models/${encodeURIComponent(id)}/approve`, { reason, overrule: true });
  again();
}

/** Takes the champion back, to the one before it. */
export async function rollBack(line: string, reason: string) {
  await post(`/api/lines/${encodeURIComponent(line)}/rollback`, { reason });
  again();
}

/** A message after which models or lines may be others. */
export function heardModel(message: Message) {
  const isEnd = message.type === "continuous_cycle_complete" || message.type === "experiment_finished";
  if (message.type.startsWith("model_") || isEnd) again();
}
