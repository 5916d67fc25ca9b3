/** The value of `Authorization` for a key that may have any characters: fetch takes Latin-1 alone, so the bytes of UTF-8 are given as that. */
export function bearer(key: string): string {
  return `Bearer ${Buffer.from(key, "utf8").toString("latin1")}`;
}
