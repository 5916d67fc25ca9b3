/** One part of a page that shows an answer: its content, or a sentence that says why there is none. What was shown stays while the service is away. */
import { type Answer, sentenceOf } from "./api.js";
import { byId } from "./element.js";

export interface Panel<T> {
  show(answer: Answer<T>): void;
}

/** Expects #ID-note and #ID-body in the page. @param fill puts a body in place; says what to tell when there is nothing, else null */
export function panel<T>(id: string, fill: (body: T) => string | null): Panel<T> {
  const note = byId(`${id}-note`);
  const content = byId(`${id}-body`);
  return {
    show: (answer) => {
      const nothing = answer.kind === "ok" ? fill(answer.body) : null;
      const sentence = sentenceOf(answer) ?? nothing;
      if (note.textContent !== sentence) note.textContent = sentence;
      note.hidden = sentence === null;
      note.classList.toggle("bad", answer.kind === "away" || answer.kind === "wrong_key" || answer.kind === "refused");
      if (answer.kind !== "away") content.hidden = answer.kind !== "ok" || nothing !== null;
    },
  };
}
