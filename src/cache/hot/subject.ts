/**
 * What a result depends on in an input that is a config.json: its profile, and what tells one kind of document from
 * another. Everything else in there differs from container to container and changes nothing.
 *
 * Undefined unless the text is, to the byte, what JSON.stringify makes of what JSON.parse read. Then nothing was lost
 * by parsing: no key stands twice, no number was rounded or written in another way. Two such documents with the same
 * profile mean the same, if neither has what the exact reader (src/profile/json.ts) refuses although it is JSON, or a
 * second place where runc looks for the profile.
 */
export function configSubject(text: string): string | undefined {
  if (!text.includes('"linux"') || REFUSED_ESCAPE.test(text)) return undefined;
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return undefined;
  }
  const indent = /^\{\n([ \t]{1,10})"/.exec(text)?.[1] ?? '';
  const again = JSON.stringify(root, null, indent);
  if (text !== again && text !== `${again}\n`) return undefined;
  if (!isObject(root) || !isObject(root['linux']) || !isObject(root['linux']['seccomp'])) return undefined;
  if (hasOtherCase(root, 'linux') || hasOtherCase(root['linux'], 'seccomp')) return undefined;
  const { seccomp } = root['linux'];
  // The profile itself is compared, and no deep one was ever compiled.
  const rest = { ...root, linux: { ...root['linux'], seccomp: null } };
  if (JSON.stringify(rest, null, 1).includes(TOO_DEEP)) return undefined;
  return JSON.stringify([keysOf(root), seccomp]);
}

/** NUL and half a surrogate pair, as JSON.stringify writes them. */
const REFUSED_ESCAPE = /\\u(?:0000|d[89a-f])/;

/** Whether there is a key that only a reader without regard to case takes for that one. */
function hasOtherCase(object: Record<string, unknown>, name: string): boolean {
  const inAnyCase = new RegExp(`^${name}$`, 'iu');
  return Object.keys(object).some((key) => key !== name && inAnyCase.test(key));
}

/** A line of a document that is deeper than any configuration; the exact reader allows twice that. */
const TOO_DEEP = `\n${' '.repeat(50)}`;

/** A document is recognised, and stray profiles in it are found, by the keys of its two upper levels and their types. */
function keysOf(root: Record<string, unknown>): unknown {
  return Object.entries(root).map(([key, value]) => [
    key,
    isObject(value) ? Object.keys(value) : typeof value,
  ]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
