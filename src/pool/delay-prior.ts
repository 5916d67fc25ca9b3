/**
 * How long after a presentation people call, until a pool has measured its own: no vendor publishes it (domain notes §5.2). 80 % exponential of
 * 5 min, 15 % exponential of 4 h, 5 % uniform over 72 h. Used for a call's confidence and for sizing. Pure.
 */
export const DELAY_PRIOR = {
  quick: { share: 0.8, meanS: 300 },
  slow: { share: 0.15, meanS: 14_400 },
  late: { share: 0.05, spanS: 259_200 },
} as const;
