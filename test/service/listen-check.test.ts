import { expect, it } from "vitest";
import { addressTaken } from "../../src/service/listen-check.js";

it("an IPv6 address that is taken is named as it is set, in brackets", () => {
  const inUse = Object.assign(new Error("listen"), { code: "EADDRINUSE" });
  expect(addressTaken("HTTP_LISTEN", { host: "::1", port: 8080 }, inUse).message).toBe(
    "HTTP_LISTEN: [::1]:8080 is in use; free it, or set HTTP_LISTEN to another address.",
  );
});
