import { create } from "zustand";

const KEY = "walkforward.theme";

/** The colours: as the system says, or as somebody chose. */
export type Theme = "system" | "light" | "dark";

interface ThemeState {
  theme: Theme;
  choose(theme: Theme): void;
}

function kept(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "system";
  } catch {
    return "system";
  }
}

function apply(theme: Theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export const useTheme = create<ThemeState>((set) => ({
  theme: kept(),
  choose(theme) {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds until the page is closed.
    }
    apply(theme);
    set({ theme });
  },
}));

/** Before the first paint. */
export function applyKeptTheme() {
  apply(useTheme.getState().theme);
}
