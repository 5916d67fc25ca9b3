/** What is known of a call that is over, and was not written on the way to the ringing phone. */
import type { Judgement } from "./judge-call.js";
import type { EarlierCalls } from "./judge.store.js";

/** `earlierCalls` null: the caller withheld the number, nobody owns the number called, or the account does not look for repeat callers. */
export type JudgedCall = Judgement & { readonly earlierCalls: EarlierCalls | null };
