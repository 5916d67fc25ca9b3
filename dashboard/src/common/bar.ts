/** One horizontal bar: a share of its width. The figure stands beside it as text, so the drawing itself is nothing to a screen reader. */
import { drawing } from "./element.js";

const WIDTH = 100;
const HEIGHT = 8;

/** @param value 0 to 1; more is drawn as 1. @param kind a class of the stylesheet */
export function bar(value: number, kind = "plain"): SVGElement {
  const filled = Math.max(0, Math.min(1, value)) * WIDTH;
  const box = { x: "0", y: "0", height: String(HEIGHT), rx: "2" };
  return drawing(
    "svg",
    { class: `bar ${kind}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("rect", { ...box, width: String(WIDTH), class: "track" }),
    drawing("rect", { ...box, width: filled.toFixed(2), class: "fill" }),
  );
}
