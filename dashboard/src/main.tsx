import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { takeFromAddress } from "./stores/auth";
import { applyKeptTheme } from "./stores/theme";
import "./styles.css";
import { stayConnected } from "./ws/live";

applyKeptTheme();
takeFromAddress();
// A link with a token may be opened in a tab that has the page already.
window.addEventListener("hashchange", takeFromAddress);
stayConnected();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
