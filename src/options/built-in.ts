/**
 * Names that stand for a profile wherever one is read. Only data: the hot tier loads this first.
 */
export const BUILT_IN_PROFILES = ['container-default', 'docker-default', 'podman-default'] as const;
export type BuiltInName = (typeof BUILT_IN_PROFILES)[number];

export function isBuiltIn(word: string): word is BuiltInName {
  return (BUILT_IN_PROFILES as readonly string[]).includes(word);
}
