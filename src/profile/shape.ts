/** What a published schema asks of a value; `npm run generate` makes these of the schemas. */
export type Shape = ObjectShape | ArrayShape | StringShape | IntegerShape;

export interface ObjectShape {
  kind: 'object';
  nullable: boolean;
  members: Readonly<Record<string, Shape>>;
  required: readonly string[];
}
interface ArrayShape {
  kind: 'array';
  nullable: boolean;
  items: Shape;
}
interface StringShape {
  kind: 'string';
  nullable: boolean;
  /** In UTF-16 units. */
  minLength: number;
  /** The only strings there are; null: any. */
  words: readonly string[] | null;
}
interface IntegerShape {
  kind: 'integer';
  nullable: boolean;
  minimum: number;
  maximum: number;
}

/** A keyword of JSON Schema that a value does not satisfy. */
export type Keyword = 'type' | 'required' | 'enum' | 'minLength' | 'minimum' | 'maximum';

export interface Misfit {
  /** RFC 6901. */
  pointer: string;
  keyword: Keyword;
  /** What was asked of the value there. */
  shape: Shape;
  /** With `required`: what is missing. */
  member?: string;
}

/** Everything in which a value is not as its schema asks. Members that the schema does not know are passed over. */
export function misfits(shape: Shape, value: unknown, pointer = ''): Misfit[] {
  const keyword = misfit(shape, value);
  if (keyword !== undefined) return [{ pointer, keyword, shape }];
  if (shape.kind === 'array' && Array.isArray(value))
    return value.flatMap((item, index) => misfits(shape.items, item, `${pointer}/${index}`));
  if (shape.kind !== 'object' || !isObject(value)) return [];
  const missing = shape.required
    .filter((member) => !Object.hasOwn(value, member))
    .map((member): Misfit => ({ pointer, keyword: 'required', shape, member }));
  const inside = Object.entries(shape.members).flatMap(([key, inner]) =>
    Object.hasOwn(value, key) ? misfits(inner, value[key], `${pointer}/${key}`) : [],
  );
  return [...missing, ...inside];
}

/** Whether a value is as its schema asks, and has no member that the schema does not know. */
export function fits(shape: Shape, value: unknown): boolean {
  if (misfit(shape, value) !== undefined) return false;
  if (shape.kind === 'array' && Array.isArray(value)) {
    for (const item of value) if (!fits(shape.items, item)) return false;
    return true;
  }
  if (shape.kind !== 'object' || !isObject(value)) return true;
  for (const key of Object.keys(value))
    if (!Object.hasOwn(shape.members, key) || !fits(shape.members[key]!, value[key])) return false;
  return shape.required.every((key) => Object.hasOwn(value, key));
}

/** What is wrong with a value by itself, whatever is in it. */
function misfit(shape: Shape, value: unknown): Keyword | undefined {
  if (value === null) return shape.nullable ? undefined : 'type';
  switch (shape.kind) {
    case 'string':
      if (typeof value !== 'string') return 'type';
      if (value.length < shape.minLength) return 'minLength';
      return shape.words === null || shape.words.includes(value) ? undefined : 'enum';
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) return 'type';
      if (value < shape.minimum) return 'minimum';
      return value > shape.maximum ? 'maximum' : undefined;
    case 'array':
      return Array.isArray(value) ? undefined : 'type';
    case 'object':
      return isObject(value) ? undefined : 'type';
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
