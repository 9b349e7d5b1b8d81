type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/**
 * The members that are not undefined: JSON and cache keys tell an absent member from an undefined
 * one.
 */
export function defined<T extends object>(members: T): Defined<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;
}
