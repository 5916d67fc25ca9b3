/** Does something again and again while the page is looked at, one at a time; at once when a page that was hidden is looked at again. */

/** Polled in the background a tab would ask the service for nothing, all night. */
export interface Poll {
  /** Now, instead of when it is due. */
  now(): void;
}

export function every(ms: number, work: () => Promise<void>): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isWanted = false;
  const run = async (): Promise<void> => {
    clearTimeout(timer);
    if (isRunning) {
      isWanted = true;
      return;
    }
    isRunning = true;
    try {
      await work();
    } finally {
      isRunning = false;
    }
    if (isWanted) {
      isWanted = false;
      return run();
    }
    if (!document.hidden) timer = setTimeout(() => void run(), ms);
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) void run();
  });
  return { now: () => void run() };
}
