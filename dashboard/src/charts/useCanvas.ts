import { type RefObject, useEffect, useRef, useState } from "react";
import { useTheme } from "../stores/theme";
import { onSystemColours } from "./colours";

/** What a chart library made. */
export interface Drawn<Data> {
  /** Shows other data, and leaves what part of it is looked at. */
  feed(data: Data): void;
  resize(width: number): void;
  destroy(): void;
}

/**
 * Draws into an element with `draw`, again when `draw` or the colours change; shows new `data` in what is drawn, and follows
 * the element's width.
 */
export function useCanvas<Data>(
  draw: (element: HTMLElement, width: number) => Drawn<Data>,
  data: Data,
): RefObject<HTMLDivElement | null> {
  const holder = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn<Data> | null>(null);
  const theme = useTheme((state) => state.theme);
  const [system, setSystem] = useState(0);
  useEffect(() => onSystemColours(() => setSystem((count) => count + 1)), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read from the page while drawing
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const made = draw(element, element.clientWidth);
    drawn.current = made;
    const watcher = new ResizeObserver(() => made.resize(element.clientWidth));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      drawn.current = null;
      made.destroy();
    };
  }, [draw, theme, system]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what was drawn anew has no data yet
  useEffect(() => drawn.current?.feed(data), [data, draw, theme, system]);
  return holder;
}
