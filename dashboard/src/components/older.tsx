import type { Page } from "../stores/paged";
import { Action } from "./actions";

/** Under a list: a button for the rows behind those that are shown, where there are any. */
export function Older<T>({ page, more }: { page: Page<T>; more: () => Promise<void> }) {
  if (page.next === null) return null;
  return (
    <div className="row">
      <Action label="Older" act={more} />
    </div>
  );
}
