/** Waits for an answer no longer than somebody else waits for ours. */

/**
 * @param late what is thrown when the answer takes longer than `ms`; what it brings afterwards, be it a failure, is nobody's
 * @throws what the answer throws in time
 */
export async function withDeadline<T>(ms: number, answer: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    // The race has seen to a later failure as well.
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
  }
}
