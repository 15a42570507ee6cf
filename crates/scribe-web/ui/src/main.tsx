import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
// Before another tab is made from this one.
import "./parts/tab";
import "./styles/index.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
