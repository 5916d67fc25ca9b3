/**
 * Between the two halves of the tag: the page's half (page/), which finds numbers and shows others in their place, and the visitor's half (visit/), which
 * learns from the service which number stands for which destination. Neither knows more of the other.
 */

/** Destination → the number shown in its place, both E.164. */
export type Shown = ReadonlyMap<string, string>;

export interface WatchOptions {
  /** Destinations to look for, E.164. */
  readonly numbers: readonly string[];
  readonly slotsOnly: boolean;
  /** Also reports the numbers of tel: links that are not in `numbers`, E.164 when they can be read so. */
  readonly discover: boolean;
  /** Numbers that this browser was shown before → their destination: a page kept in a cache may still hold them. */
  readonly shownBefore: Shown;
  /** Destinations that the page did not hold before, each told once; at most once a frame. */
  onFound(destinations: readonly string[]): void;
  /** Something on the page was changed by us. */
  onSwapped(): void;
}

export interface PageWatch {
  /** Looks at the whole page, now. */
  scan(): void;
  /** From now on these numbers stand for their destinations; what is not named shows the page's own number again. Done when it returns. */
  show(numbers: Shown): void;
  /** Watches no longer. What is shown stays. */
  stop(): void;
}

/** `watchPage` of page/watch-page.ts. It watches what changes, and has looked at nothing when it returns: what is to be shown from the start goes first. */
export type WatchPage = (options: WatchOptions) => PageWatch;
