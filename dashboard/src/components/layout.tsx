import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useNow } from "../lib/hooks";
import { span } from "../lib/time";
import { useConnection } from "../stores/connection";
import { type Theme, useTheme } from "../stores/theme";
import { reconnect } from "../ws/live";

const PAGES: { label: string; href: string; icon: string }[] = [
  { label: "Paper Trading", href: "/paper", icon: "M3 17l5-6 4 3 6-8 3 4" },
  { label: "Continuous", href: "/continuous", icon: "M20 12a8 8 0 1 1-2.6-5.9M20 3v4.5h-4.5" },
  {
    label: "Experiments",
    href: "/experiments",
    icon: "M9 3h6M10 3v6l-5 9a2 2 0 0 0 2 3h10a2 2 0 0 0 2-3l-5-9V3",
  },
  {
    label: "Models",
    href: "/models",
    icon: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12L4 7.5",
  },
  {
    label: "Data",
    href: "/data",
    icon: "M4 6c0-4 16-4 16 0s-16 4-16 0v12c0 4 16 4 16 0V6M4 12c0 4 16 4 16 0",
  },
  {
    label: "Audit",
    href: "/audit",
    icon: "M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h5",
  },
];

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.8" aria-hidden="true">
      <path d={path} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

/** The sidebar, on a phone a bar above and one below. */
export function Layout({ children }: { children: ReactNode }) {
  const [location] = useLocation();
  return (
    <div className="frame">
      <a className="skip" href="#main">
        To the content
      </a>
      <div className="side">
        <div className="pinned">
          <div className="brand">
            <img src="/favicon.svg" alt="" />
            walkforward
          </div>
          <nav className="nav" aria-label="Pages">
            {PAGES.map(({ label, href, icon }) => (
              <Link key={href} href={href} aria-current={location.startsWith(href) ? "page" : undefined}>
                <Icon path={icon} />
                {label}
              </Link>
            ))}
          </nav>
          <div className="foot">
            <LinkState />
            <ThemeChoice />
          </div>
        </div>
      </div>
      <main id="main" tabIndex={-1}>
        <Banner />
        {children}
      </main>
    </div>
  );
}

const STATES = {
  open: { tone: "good", words: "Live" },
  connecting: { tone: "warn", words: "Connecting" },
  waiting: { tone: "bad", words: "Disconnected" },
};

function LinkState() {
  const link = useConnection((state) => state.link);
  const { tone, words } = STATES[link];
  return (
    <div className="link" role="status">
      <span className={`dot is-${tone}`} />
      {words}
    </div>
  );
}

function ThemeChoice() {
  const { theme, choose } = useTheme();
  return (
    <select aria-label="Colours" value={theme} onChange={(event) => choose(event.target.value as Theme)}>
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}

/** That the page is not up to date, and when it tries again. */
function Banner() {
  const { link, hasBeenOpen, retryAt, skew } = useConnection();
  const now = useNow();
  if (link === "open" || (!hasBeenOpen && link === "connecting")) return null;
  const when = retryAt === null ? "now" : `in ${span(retryAt + skew - now)}`;
  return (
    <div className="banner" role="status">
      <span>
        <strong>Reconnecting.</strong> What is shown may be out of date; the next try is {when}.
      </span>
      <button type="button" onClick={reconnect}>
        Try now
      </button>
    </div>
  );
}
