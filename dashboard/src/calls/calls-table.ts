/** The last calls, newest first. A refresh leaves a row in place, so that what is focused or opened stays so; each opens its explanation below it. */
import type { Call } from "../common/api-shapes.js";
import { bar } from "../common/bar.js";
import { type Child, element } from "../common/element.js";
import { phone, share, talk, time, words } from "../common/format.js";

interface Shown {
  readonly row: HTMLTableRowElement;
  readonly details: HTMLTableRowElement;
  text: string;
}

const COLUMNS = 8;

export interface CallsTable {
  show(calls: readonly Call[]): void;
  /** Another key or account: nothing of the former stays. */
  clear(): void;
}

/** @param open fills the place below a call that was opened */
export function callsTable(body: HTMLTableSectionElement, open: (call: Call, place: HTMLElement) => void): CallsTable {
  const shown = new Map<string, Shown>();
  const add = (call: Call): Shown => {
    const place = element("td", { colspan: String(COLUMNS), id: `why-${call.id}` });
    const details = element("tr", { class: "details", hidden: true }, place);
    const row = element("tr");
    row.addEventListener("click", (event) => {
      // A text of the row that is being selected is not a wish to open; the button is nothing else.
      const isButton = event.target instanceof Element && event.target.closest("button") !== null;
      if (!isButton && getSelection()?.isCollapsed === false) return;
      event.preventDefault();
      details.hidden = !details.hidden;
      row.querySelector("button")?.setAttribute("aria-expanded", String(!details.hidden));
      if (!details.hidden) open(call, place);
    });
    return { row, details, text: "" };
  };
  return {
    show: (calls) => {
      const now = Date.now();
      let before: Element | null = body.firstElementChild;
      for (const call of calls) {
        const one = shown.get(call.id) ?? add(call);
        fill(one, call, now);
        if (one.row === before) before = one.details.nextElementSibling;
        else {
          body.insertBefore(one.row, before);
          body.insertBefore(one.details, before);
        }
        shown.set(call.id, one);
      }
      const wanted = new Set(calls.map(({ id }) => id));
      for (const [id, one] of shown) if (!wanted.has(id)) remove(id, one);
    },
    clear: () => {
      for (const [id, one] of shown) remove(id, one);
    },
  };
  function remove(id: string, { row, details }: Shown): void {
    row.remove();
    details.remove();
    shown.delete(id);
  }
}

function fill(one: Shown, call: Call, now: number): void {
  const text = JSON.stringify(call) + new Date(now).toDateString();
  if (one.text === text) return;
  one.text = text;
  const { attribution } = call;
  const button = one.row.querySelector("button") ?? openButton(call, one.details);
  button.textContent = time(call.received_at, now);
  const cells: readonly (readonly Child[])[] = [
    [phone(call.promo_number)],
    [call.caller.last4 === null ? "anonymous" : `…${call.caller.last4}`],
    [sourceOf(call)],
    [element("span", { class: `badge ${attribution.outcome}` }, words(attribution.outcome))],
    attribution.confidence === null ? ["–"] : [bar(attribution.confidence, "good"), share(attribution.confidence)],
    [words(call.status)],
    [talk(call.talk_ms)],
  ];
  const first = button.closest("td") ?? element("td", {}, button);
  const rest = cells.map((children) => element("td", {}, ...children));
  for (const old of [...one.row.cells].slice(1)) old.remove();
  if (!first.isConnected) one.row.prepend(first);
  one.row.append(...rest);
}

function openButton(call: Call, details: HTMLElement): HTMLButtonElement {
  return element("button", {
    type: "button",
    class: "opens",
    "aria-expanded": String(!details.hidden),
    "aria-controls": `why-${call.id}`,
  });
}

/** Judged when the call is over; until then what the page view was tagged with. */
function sourceOf({ attribution }: Call): string {
  const { touch, source, campaign } = attribution;
  const said = (name: string): string | null => (typeof touch?.[name] === "string" ? touch[name] : null);
  return (
    [source ?? said("utm_source"), campaign ?? said("utm_campaign")].filter((one) => one !== null).join(" / ") || "–"
  );
}
