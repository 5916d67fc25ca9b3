/** What a benchmark has started, stopped in reverse whatever happens. Each part bounds its own stopping, for killing a service takes longer than most. */
import { messageOf } from "../src/kernel/errors.js";

export class CleanUp {
  private readonly parts: (() => Promise<void> | void)[] = [];

  push(stop: () => Promise<void> | void): void {
    this.parts.push(stop);
  }

  async run(): Promise<void> {
    for (let stop = this.parts.pop(); stop !== undefined; stop = this.parts.pop()) {
      try {
        await stop();
      } catch (error) {
        console.error(`  clean-up: ${messageOf(error)}`);
      }
    }
  }
}
