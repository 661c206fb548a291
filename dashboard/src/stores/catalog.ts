import { get } from "../api/client";
import type { AllData, DataDetail, DatasetConfig, Pack } from "../api/types";
import { resource } from "./resource";

/** Stored hyperparameter packs, under the key "all". */
export const usePacks = resource<Pack[]>(async () => (await get<{ packs: Pack[] }>("/api/packs")).packs);

/** Stored dataset configurations, under the key "all". */
export const useDatasets = resource<DatasetConfig[]>(
  async () => (await get<{ datasets: DatasetConfig[] }>("/api/datasets")).datasets,
);

/** The bars that runs were made from, under the key "all". */
export const useData = resource<AllData>(() => get<AllData>("/api/data"));

/** One of their windows, by the id of its run. */
export const useWindow = resource<DataDetail>((run) =>
  get<DataDetail>(`/api/data/${encodeURIComponent(run)}`),
);
