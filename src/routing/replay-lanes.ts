/** Work on many calls side by side, on each call in its order: replaying a spool one entry after the other would take longer than the calls did. */

/** Fewer than the connections of a process: calls that ring now need some. */
const LANES_MAX = 8;

export class ReplayLanes {
  private readonly lanes = new Map<string, Promise<void>>();
  private failure: { readonly error: unknown } | null = null;

  /** Resolves when there is room for more. @throws what earlier work threw; nothing new is begun then */
  async add(key: string, work: () => Promise<void>): Promise<void> {
    this.throwFailure();
    const lane = this.follow(this.lanes.get(key) ?? Promise.resolve(), work).finally(() => {
      if (this.lanes.get(key) === lane) this.lanes.delete(key);
    });
    this.lanes.set(key, lane);
    if (this.lanes.size >= LANES_MAX) await Promise.race(this.lanes.values());
  }

  /** Resolves when all of it is done. @throws what any of it threw */
  async settle(): Promise<void> {
    await Promise.all(this.lanes.values());
    this.throwFailure();
  }

  private async follow(before: Promise<void>, work: () => Promise<void>): Promise<void> {
    await before;
    if (this.failure !== null) return;
    try {
      await work();
    } catch (error) {
      this.failure ??= { error };
    }
  }

  private throwFailure(): void {
    if (this.failure !== null) throw this.failure.error;
  }
}
