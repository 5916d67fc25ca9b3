/** One operator command. */
export interface Command {
  /** As typed after `ringmatch`: one word or two. */
  readonly name: string;
  readonly summary: string;
  readonly help: string;
  /** @throws AppError with one sentence that says what to do */
  run(words: readonly string[]): Promise<void>;
}
