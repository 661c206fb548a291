import { type ReactNode, useEffect, useRef, useState } from "react";

/** What is wider or taller than its place: it scrolls, and can then be reached with the keyboard. */
export function Scroll(props: { label: string; isTall?: boolean; children: ReactNode }) {
  const holder = useRef<HTMLElement>(null);
  const [isMore, setMore] = useState(false);
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const look = () =>
      setMore(element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight);
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    for (const child of element.children) watcher.observe(child);
    return () => watcher.disconnect();
  }, []);
  return (
    <section
      ref={holder}
      className={props.isTall ? "scroll is-tall" : "scroll"}
      aria-label={props.label}
      tabIndex={isMore ? 0 : undefined}
    >
      {props.children}
    </section>
  );
}
