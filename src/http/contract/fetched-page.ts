/** A page fetched for the tester of the browser tag, on the wire. */
import { z } from "zod";

const URL_CHARS_MAX = 2_048;

export const fetchPageIn = z.strictObject({
  url: z
    .string()
    .min(1)
    .max(URL_CHARS_MAX)
    .meta({ examples: ["https://www.example.com/plumbing"] }),
});

export const fetchedPageOut = z.object({
  url: z.string().meta({ description: "After redirects" }),
  status: z.int(),
  html: z.string(),
  headers: z.object({ "content-security-policy": z.string().nullable() }),
});
