import { defineConfig } from "vite";

// Where the development server finds the API: `WALKFORWARD_API=http://127.0.0.1:8750 npm run dev`.
const api = process.env.WALKFORWARD_API ?? "http://127.0.0.1:8750";

// The server refuses pages of another origin, which this one is during development.
const proxied = {
  target: api,
  changeOrigin: true,
  ws: true,
  headers: { origin: api },
};

export default defineConfig({
  server: { proxy: { "/api": proxied, "/ws": proxied } },
  preview: { proxy: { "/api": proxied, "/ws": proxied } },
  build: {
    target: "es2022",
    // The content security policy allows no data: fonts or scripts; small files stay files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
