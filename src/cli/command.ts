/** One operator command. */
export interface Command {
  readonly help: string;
  /** @throws AppError with one sentence that says what to do */
  run(words: readonly string[]): Promise<void>;
}
