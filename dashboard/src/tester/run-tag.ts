/**
 * Lets the tag itself work on the inert page, with a number of its own for each tracked destination, and notes where it wrote. So what the tester says is
 * what the tag does, not what somebody once understood of it.
 */
import { makeKnownNumbers } from "../../../tag/src/page/known-numbers.js";
import { makeLook } from "../../../tag/src/page/look.js";
import { nationalOf } from "../../../tag/src/page/phone-number.js";
import { makeSettle } from "../../../tag/src/page/settle.js";

export interface TagRun {
  /** Text nodes and attributes that the tag wrote to. */
  readonly written: ReadonlySet<Node>;
  /** Those it would write to as soon as the page's framework has taken them over. */
  readonly awaited: ReadonlySet<Node>;
  /** Slots that were empty or held another text, and got a number. */
  readonly slots: ReadonlySet<Element>;
}

/** @param page is changed by it */
export function runTag(page: Document, input: { numbers: readonly string[]; slotsOnly: boolean }): TagRun {
  const { numbers, slotsOnly } = input;
  const known = makeKnownNumbers();
  for (const number of numbers) known.learn(number);
  known.show(new Map(numbers.map((number, at) => [number, standIn(number, at)])));
  const written = new Set<Node>();
  const awaited = new Set<Node>();
  const slots = new Set<Element>();
  let isAwaited = false;
  const tag = makeSettle({
    known,
    discover: false,
    onDestination: () => undefined,
    onWritten: () => undefined,
    onAwaited: () => (isAwaited = true),
  });
  const look = makeLook({
    slotsOnly,
    onPlace: () => undefined,
    onShadow: () => undefined,
    settle: (line, batch) => {
      const before = line.cells.map(({ nodeValue }) => nodeValue);
      const text = line.element.textContent;
      isAwaited = false;
      const isPlace = tag.settle(line, batch);
      line.cells.forEach((cell, at) => {
        if (cell.nodeValue !== before[at]) written.add(cell);
        if (isAwaited) awaited.add(cell);
      });
      if (line.slot !== "" && line.kind === "text" && (isAwaited || line.element.textContent !== text)) {
        slots.add(line.element);
      }
      return isPlace;
    },
  });
  look(page.documentElement, 0);
  return { written, awaited, slots };
}

/** Of the same country and length, so that it is written as a promo number would be; no number anybody has. */
function standIn(number: string, at: number): string {
  const national = nationalOf(number);
  const country = number.slice(0, number.length - national.length);
  return country + String(at).padStart(national.length, "0");
}
