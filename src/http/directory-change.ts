/** After a write to accounts, destinations or pools: the next presentation in this process sees it; other processes are told by the database. */
import type { HttpDeps } from "./http-deps.js";

export function directoryChanged(deps: Pick<HttpDeps, "directory" | "onDirectoryChange">): void {
  deps.directory.clear();
  deps.onDirectoryChange();
}
