/** Put in by the build: the version, and a hash of all sources. */
declare const SECCOMPC_BUILD: string | undefined;

/** Tells this build from every other one; undefined in sources that were not built, which have no hot tier. */
export const BUILD = typeof SECCOMPC_BUILD === 'undefined' ? undefined : SECCOMPC_BUILD;
