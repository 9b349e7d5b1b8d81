/** What a place of a profile can hold, from the JSON Schemas for editors. */

export interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  enum?: (string | null)[];
  enumDescriptions?: string[];
  description?: string;
  definitions?: Record<string, Schema>;
  $ref?: string;
}

/** Words that a place can have, with what they mean: keys of an object, or values. */
export function wordsOf(
  root: Schema,
  path: readonly (string | number)[],
  kind: 'keys' | 'values',
): { word: string; text: string | undefined }[] {
  const expand = (schema: Schema): Schema[] => {
    const target = schema.$ref && root.definitions?.[schema.$ref.replace('#/definitions/', '')];
    return [schema, ...(target ? expand(target) : []), ...(schema.anyOf ?? []).flatMap(expand)];
  };
  const below = ({ items, properties }: Schema, token: string | number) =>
    (typeof token === 'number' ? items : properties?.[token]) ?? [];
  return path
    .reduce((found, token) => found.flatMap((each) => below(each, token)).flatMap(expand), expand(root))
    .flatMap(({ properties = {}, enum: values = [], enumDescriptions: texts = [] }) =>
      kind === 'keys'
        ? Object.entries(properties).map(([word, { description: text }]) => ({ word, text }))
        : values.map((word, at) => ({ word: word ?? '', text: texts[at] })),
    )
    .filter(({ word }) => word !== '' && word !== '$schema');
}
