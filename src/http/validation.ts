/** Runs zod for Fastify and tells every refused field by its path. Answers are only described by their schemas: tests check them, requests do not pay. */
import type { FastifySchemaCompiler, FastifySerializerCompiler } from "fastify";
import type { z } from "zod";
import { AppError, type FieldError } from "../kernel/errors.js";

/** Ten thousand wrong entries are one mistake. */
const REPORTED_MAX = 50;

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data: unknown) => {
    const result = schema.safeParse(data ?? {});
    if (result.success) return { value: result.data };
    const fields = fieldErrorsOf(result.error);
    return { error: new AppError("invalid_value", "The request is not acceptable; see errors.", { fields }) };
  };

export const serializerCompiler: FastifySerializerCompiler<unknown> = () => (data) => JSON.stringify(data);

export function fieldErrorsOf(error: z.ZodError): FieldError[] {
  const fields: FieldError[] = [];
  for (const issue of error.issues.slice(0, REPORTED_MAX)) {
    const path = issue.path.map(String).join(".");
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys)
        fields.push({ path: path === "" ? key : `${path}.${key}`, message: "unknown field" });
    } else fields.push({ path, message: issue.message });
  }
  return fields.slice(0, REPORTED_MAX);
}
