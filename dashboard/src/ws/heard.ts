import { heardContinuous } from "../stores/continuous";
import { heardExperiment } from "../stores/experiments";
import { heardLive } from "../stores/live";
import { heardModel } from "../stores/models";
import type { Message } from "./messages";

/** Hands a message to the stores that it is about. */
export function heard(message: Message) {
  heardContinuous(message);
  heardExperiment(message);
  heardModel(message);
  heardLive(message);
}
