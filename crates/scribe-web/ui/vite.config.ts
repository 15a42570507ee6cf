import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

// `npm run dev` serves the page by itself, and asks the API of `make run`, or the one that SCRIBE_API names.
const { SCRIBE_API: server = "http://127.0.0.1:3000" } = loadEnv("", ".", "SCRIBE_");

export default defineConfig({
  plugins: [react()],
  build: { target: "es2023", assetsInlineLimit: 0, chunkSizeWarningLimit: 600 },
  server: {
    // It asks in its own name: the API answers pages of its own address.
    proxy: Object.fromEntries(
      ["/api", "/v1", "/healthz"].map((path) => [path, { target: server, changeOrigin: true, headers: { origin: server } }]),
    ),
  },
});
