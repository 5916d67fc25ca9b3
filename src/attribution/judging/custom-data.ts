/**
 * Which of a visitor's values a record gets, field by field: the account chooses first, last or unique (domain notes §1.4); last where it says
 * nothing. Pure.
 */

export const CUSTOM_DATA_MODELS = ["first", "last", "unique"] as const;
export type CustomDataModel = (typeof CUSTOM_DATA_MODELS)[number];
/** By field. */
export type CustomDataModels = Readonly<Record<string, CustomDataModel>>;

export type CustomData = Readonly<Record<string, unknown>>;

/** Of a record; as many as one page may send. */
export const CUSTOM_FIELDS_MAX = 25;
/** A field that changes with every page is not what `unique` is for, and must not make a record endless. */
export const UNIQUE_VALUES_MAX = 25;

/**
 * Of more than 25 fields those stay that the visitor's latest presentation has, then the one before it and so on, by name within each.
 * @param presented what each of the visitor's presentations had, oldest first
 * @returns first, last: the value; unique: an array of the different values in the order they appeared, the earliest 25
 */
export function customDataOf(presented: readonly CustomData[], models: CustomDataModels): CustomData {
  const fields = new Set<string>();
  for (const data of [...presented].reverse()) {
    for (const field of Object.keys(data).sort()) if (fields.size < CUSTOM_FIELDS_MAX) fields.add(field);
  }
  // A field may be called like something that every object has.
  const result = Object.create(null) as Record<string, unknown>;
  for (const field of fields) result[field] = valueOf(field, presented, models);
  return { ...result };
}

function valueOf(field: string, presented: readonly CustomData[], models: CustomDataModels): unknown {
  const values = presented.flatMap((data) => (Object.hasOwn(data, field) ? [data[field]] : []));
  const model = Object.hasOwn(models, field) ? models[field] : undefined;
  switch (model ?? "last") {
    case "first":
      return values[0];
    case "last":
      return values[values.length - 1];
    case "unique":
      return [...new Set(values)].slice(0, UNIQUE_VALUES_MAX);
  }
}
