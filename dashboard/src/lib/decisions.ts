import type { ModelDetail } from "../api/types";

/** The gate's reason for a model that does not work: nobody can overrule that. */
const DOES_NOT_WORK = "mechanical";

/** Whether a person can make a model champion against its verdict. The server looks again. */
export function canOverrule({ model, verdict, declined, weights_sound: isSound }: ModelDetail): boolean {
  if (!verdict || declined || !isSound || verdict.reason === DOES_NOT_WORK) return false;
  return !model.champion && model.status !== "promoted";
}
