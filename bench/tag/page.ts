/**
 * The page that the tag and its rivals are measured on: 5,000 text nodes as a long page of a shop has them (sections, links, tables, prices, years, order
 * numbers), and 40 phone numbers among them: plain, in links, and cut up by markup. No white space between elements, so that the count is exact.
 */

export const TEXT_NODES = 5_000;
/** Of these destinations the page's numbers are; an account has others besides, which stand nowhere. */
export const ON_PAGE = ["+18005550100", "+18005550101", "+12125550102", "+12125550103", "+13105550104"] as const;
/** Ways of writing a number, in turn; the last two are cut up by markup. */
const WAYS = [
  (a: string, b: string, c: string) => `Call (${a}) ${b}-${c} today`,
  (a: string, b: string, c: string) => `<a href="tel:+1${a}${b}${c}">${a}-${b}-${c}</a>`,
  (a: string, b: string, c: string) => `Phone: ${a}.${b}.${c}, we answer`,
  (a: string, b: string, c: string) => `+1 ${a} ${b} ${c}`,
  (a: string, b: string, c: string) => `<b>(${a})</b> ${b}-${c}`,
  (a: string, b: string, c: string) => `Toll free <span>${a}</span>-<span>${b}</span>-<span>${c}</span>`,
];
export const NUMBERS = 40;
/** Of these, numbers that stand in more than one text node. */
export const CUT_UP = Array.from({ length: NUMBERS }, (_, index) => index % WAYS.length).filter(
  (way) => way >= 4,
).length;
/** How often the page can draw its list anew. */
export const RENDERS = 100;
/** Rows of the list that the page draws anew; three of them have a number. */
const LIST_ROWS = 20;

const WORDS =
  "Our certified plumbers come to your home within the hour and repair what leaks drips or whistles at a fixed price with a written guarantee on parts and labour".split(
    " ",
  );

/** `render(n)` in it draws the list `#list` anew, as n says, from 0 to RENDERS - 1. */
export function benchPage(): string {
  const parts: string[] = [];
  let nodes = 0;
  const add = (html: string) => {
    parts.push(html);
    nodes += textNodesOf(html);
  };
  for (let section = 0; nodes < TEXT_NODES - 200; section++) {
    add(`<section><h2>${prose(section, 4)}</h2>`);
    for (let i = 0; i < 10; i++) {
      const at = section * 10 + i;
      add(`<div><p>${prose(at, 14)} <a href="/p/${at}">${prose(at + 3, 3)}</a> since ${1950 + (at % 70)}.</p>`);
      add(
        `<ul><li>$${100 + at}.99</li><li>Order 55${5_000_000 + at * 13}</li><li><em>${prose(at, 2)}</em> ${prose(at, 6)}</li></ul></div>`,
      );
    }
    const number = section * 2;
    for (const one of [number, number + 1]) if (one < NUMBERS) add(`<p>${writtenNumber(one)}</p>`);
    add("</section>");
  }
  add(`<ul id="list">${listRows(0)}</ul>`);
  while (nodes < TEXT_NODES) add(`<p>${prose(nodes, 5)}</p>`);
  const lists = JSON.stringify(Array.from({ length: RENDERS }, (_, turn) => listRows(turn + 1)));
  const script = `<script>{const lists=${lists};window.render=(n)=>{document.getElementById("list").innerHTML=lists[n]}}</script>`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Plumbers</title>${script}</head><body><main>${parts.join("")}</main></body></html>`;
}

function writtenNumber(index: number): string {
  const number = ON_PAGE[index % ON_PAGE.length] ?? ON_PAGE[0];
  const write = WAYS[index % WAYS.length];
  return write?.(number.slice(2, 5), number.slice(5, 8), number.slice(8)) ?? "";
}

function listRows(turn: number): string {
  return Array.from({ length: LIST_ROWS }, (_, row) =>
    row % 7 === 3 ? `<li>${writtenNumber(turn + row)}</li>` : `<li>${prose(turn + row, 6)} $${turn}.${10 + row}</li>`,
  ).join("");
}

function prose(from: number, words: number): string {
  return Array.from({ length: words }, (_, i) => WORDS[(from * 7 + i) % WORDS.length]).join(" ");
}

/** Runs of text between tags: what a parser makes text nodes of. */
function textNodesOf(html: string): number {
  return html.split(/<[^>]+>/).filter((text) => text !== "").length;
}
