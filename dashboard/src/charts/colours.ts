/** The colours of the page as they are now, for canvases. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: of("--text"),
    soft: of("--soft"),
    line: of("--line"),
    good: of("--good"),
    bad: of("--bad"),
    warn: of("--warn"),
    series: [of("--accent"), of("--calm"), of("--warn"), of("--bad")],
  };
}

/** Whether the system asks for dark colours. */
const DARK = "(prefers-color-scheme: dark)";

/** Calls `changed` when the system changes its colours; what it answers ends that. */
export function onSystemColours(changed: () => void): () => void {
  const asked = window.matchMedia(DARK);
  asked.addEventListener("change", changed);
  return () => asked.removeEventListener("change", changed);
}
