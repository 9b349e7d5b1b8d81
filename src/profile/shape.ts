/** A schema as the quick reader walks it: `npm run generate` makes these of the published schemas. */
export type Shape =
  | {
      kind: 'object';
      nullable: boolean;
      members: Readonly<Record<string, Shape>>;
      required: readonly string[];
    }
  | { kind: 'array'; nullable: boolean; items: Shape }
  | { kind: 'string'; nullable: boolean; minLength: number; words: readonly string[] | null }
  | { kind: 'integer'; nullable: boolean; minimum: number; maximum: number };

/** Whether a value of `JSON.parse` is as the schema asks, and has no member that the schema does not know. */
export function fits(shape: Shape, value: unknown): boolean {
  if (value === null) return shape.nullable;
  switch (shape.kind) {
    case 'string':
      return (
        typeof value === 'string' &&
        value.length >= shape.minLength &&
        (shape.words === null || shape.words.includes(value))
      );
    case 'integer':
      return (
        typeof value === 'number' &&
        Number.isInteger(value) &&
        value >= shape.minimum &&
        value <= shape.maximum
      );
    case 'array': {
      if (!Array.isArray(value)) return false;
      for (const item of value) if (!fits(shape.items, item)) return false;
      return true;
    }
    case 'object': {
      if (!isObject(value)) return false;
      for (const key of Object.keys(value))
        if (!Object.hasOwn(shape.members, key) || !fits(shape.members[key]!, value[key])) return false;
      return shape.required.every((key) => Object.hasOwn(value, key));
    }
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
