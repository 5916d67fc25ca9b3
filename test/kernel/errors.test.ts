import { describe, expect, it } from "vitest";
import { AppError, ERROR_CATALOGUE, type ErrorCode, messageOf } from "../../src/kernel/errors.js";

describe("AppError", () => {
  it("has the status and title of its code, its cause and its fields", () => {
    const cause = new Error("why");
    const error = new AppError("invalid_value", "Correct it.", {
      cause,
      fields: [{ path: "a", message: "b" }],
      retryAfterS: 3,
    });
    expect(error).toMatchObject({
      status: 422,
      title: "A value is not acceptable",
      message: "Correct it.",
      cause,
      retryAfterS: 3,
    });
    expect(error.fields).toEqual([{ path: "a", message: "b" }]);
    expect(new AppError("internal", "x")).toMatchObject({ fields: [], retryAfterS: null });
  });

  it("knows only real error statuses", () => {
    for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
      expect(new AppError(code, "x").status).toBeGreaterThanOrEqual(400);
      expect(new AppError(code, "x").status).toBeLessThan(600);
    }
  });
});

it("messageOf reads anything thrown", () => {
  expect([messageOf(new Error("a")), messageOf("b"), messageOf(null)]).toEqual(["a", "b", "null"]);
});
