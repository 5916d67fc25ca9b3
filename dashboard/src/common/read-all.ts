/** A whole list of the API, page after page, up to a limit. */
import type { Answer, Api, Page } from "./api.js";

/** Of 500 each: 5,000 accounts, destinations or pools are more than anybody chooses from. */
const PAGES_MAX = 10;

export interface WholeList<T> {
  readonly all: readonly T[];
  /** There are more than were read. */
  readonly isCut: boolean;
}

/** @param path with its query, if it has one */
export async function readAll<T>(api: Api, path: string, pagesMax = PAGES_MAX): Promise<Answer<WholeList<T>>> {
  const all: T[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < pagesMax; page++) {
    const place: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const answer: Answer<Page<T>> = await api.get(`${path}${path.includes("?") ? "&" : "?"}limit=500${place}`);
    if (answer.kind !== "ok") return answer;
    all.push(...answer.body.data);
    cursor = answer.body.next_cursor;
    if (cursor === null) break;
  }
  return { kind: "ok", body: { all, isCut: cursor !== null } };
}
