import { get } from "../api/client";
import type { DatasetConfig, Pack } from "../api/types";
import { resource } from "./resource";

/** Stored hyperparameter packs, under the key "all". */
export const usePacks = resource<Pack[]>(async () => (await get<{ packs: Pack[] }>("/api/packs")).packs);

/** Stored dataset configurations, under the key "all". */
export const useDatasets = resource<DatasetConfig[]>(
  async () => (await get<{ datasets: DatasetConfig[] }>("/api/datasets")).datasets,
);
