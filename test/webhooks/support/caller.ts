/** Who calls in the webhooks' tests: digits that occur nowhere else, so that a search for them finds leaks and nothing else. */
export const CALLER = "+14156739823";
