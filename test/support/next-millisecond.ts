/** Ids and times are kept to the millisecond: what is made within one has no order in time, so a test that expects an order waits for the next. */
export async function nextMillisecond(): Promise<void> {
  const before = Date.now();
  while (Date.now() <= before) await new Promise((resolve) => setTimeout(resolve, 1));
}
