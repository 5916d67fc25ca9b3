/** Reports on the wire. */
import { z } from "zod";
import { toIso } from "../../kernel/clock.js";
import { BOT_REASONS, type BotFigures, numbersSaved } from "../../pool/bot-tally.js";
import { accountQuery, idOut, instantIn, instantOut, pageOut, pageQuery } from "./scalars.js";

const HOUR_MS = 3_600_000;
const HOUR_S = 3_600;
const DAY_MS = 24 * HOUR_MS;

export const botReportQuery = z.strictObject({
  ...pageQuery,
  ...accountQuery,
  from: instantIn.optional().meta({ description: "Rounded down to the hour; a day before `to` when not given" }),
  to: instantIn.optional().meta({ description: "Exclusive; rounded up to the hour. Now when not given" }),
});

/** Figures are kept by the hour, so a report covers whole hours. */
export function hoursOf(query: z.output<typeof botReportQuery>, now: number): { from: number; to: number } {
  const to = Math.ceil(Math.min(query.to ?? now, now) / HOUR_MS) * HOUR_MS;
  const from = Math.floor((query.from ?? to - DAY_MS) / HOUR_MS) * HOUR_MS;
  return { from, to };
}

const botFiguresOut = z.object({
  account_id: idOut,
  reason: z.enum(BOT_REASONS).meta({
    description:
      "user_agent: it says it is a crawler. invisible: the page was not visible. address_limit: too many pages from one address",
  }),
  requests: z.int(),
  presentations_withheld: z.int().meta({ description: "Numbers that a visitor would have been presented" }),
  numbers_saved: z.number().meta({
    description: "Estimate: promo numbers these would have held locked, on average over the hours of the report",
  }),
  numbers_saved_busiest_hour: z.number().meta({ description: "The same for the hour in which they were the most" }),
});

export const botReportOut = pageOut(botFiguresOut).extend({ from: instantOut, to: instantOut });

/** @param window the part of the report's hours that has passed */
export function showBotFigures(
  figures: BotFigures,
  window: { from: number; to: number },
): z.output<typeof botFiguresOut> {
  return {
    account_id: figures.accountId,
    reason: figures.reason,
    requests: figures.requests,
    presentations_withheld: figures.withheld,
    numbers_saved: numbersSaved(figures.withheldLockS, (window.to - window.from) / 1000),
    numbers_saved_busiest_hour: numbersSaved(figures.busiestHourLockS, HOUR_S),
  };
}

export function showWindow({ from, to }: { from: number; to: number }): { from: string; to: string } {
  return { from: toIso(from), to: toIso(to) };
}
