/** Profiles that are made to be slow: recipes from which the search for worst cases mixes them. */

/** Numbers from 0 up to, not including, a limit; the same for the same seed. */
export type Random = (limit: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  // mulberry32, public domain.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return (limit) => Math.floor(next() * limit);
}

/** What a profile is made of. All of it is random within what it says. */
export interface Recipe {
  seed: number;
  kind: Kind;
  /** Entries, or names, at most; the size limits them too. */
  count: number;
  /** Calls that the entries share among them. */
  calls: number;
  /** Conditions of an entry, 0 to 6. */
  args: number;
  /** Operators by their place in OPERATORS. */
  operators: number[];
  constants: Constants;
  /** Bits of the constants. */
  bits: number;
  /** Different actions. */
  actions: number;
  architectures: number;
}

const KINDS = ['rules', 'calls', 'names', 'keys', 'faults', 'dialect', 'text'] as const;
export type Kind = (typeof KINDS)[number];
const CONSTANTS = ['random', 'ascending', 'bits', 'few', 'edges'] as const;
export type Constants = (typeof CONSTANTS)[number];
const OPERATORS = ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE', 'MASKED_EQ'];

/** Little-endian, so that one filter can hold them all. */
const ARCHITECTURES = [
  'X86_64', 'X86', 'X32', 'AARCH64', 'ARM', 'RISCV64', 'PPC64LE', 'MIPSEL', 'MIPSEL64', 'MIPSEL64N32',
  'LOONGARCH64', 'SH',
]; // prettier-ignore

const pick = <T>(random: Random, from: readonly T[]): T => from[random(from.length)]!;

export function randomRecipe(random: Random): Recipe {
  return {
    seed: random(2 ** 32),
    kind: pick(random, [...KINDS, 'rules', 'rules', 'rules', 'calls']),
    count: 1 << random(15),
    calls: pick(random, [1, 1, 1, 2, 5, 30, 400]),
    args: random(7),
    operators: Array.from({ length: 1 + random(4) }, () => random(OPERATORS.length)),
    constants: pick(random, CONSTANTS),
    bits: pick(random, [4, 8, 12, 16, 20, 31, 32, 33, 48, 64]),
    actions: pick(random, [1, 1, 2, 8, 4000]),
    architectures: pick(random, [1, 1, 3, 3, ARCHITECTURES.length]),
  };
}

/** The same recipe with one or two ingredients changed. */
export function mutate(recipe: Recipe, random: Random): Recipe {
  const other = randomRecipe(random);
  const keys = Object.keys(recipe) as (keyof Recipe)[];
  const changed = Array.from({ length: 1 + random(2) }, () => pick(random, keys));
  const mutant = { ...recipe, ...Object.fromEntries(changed.map((key) => [key, other[key]])) };
  if (random(3) === 0) mutant.count = Math.max(1, Math.floor((recipe.count * (1 + random(8))) / 4));
  return mutant;
}

/** The text of a profile of at most so many bytes. `names`: all names of calls. */
export function profileFrom(recipe: Recipe, bytes: number, names: readonly string[]): string {
  const random = randomFrom(recipe.seed);
  const architectures = ARCHITECTURES.slice(0, recipe.architectures).map((name) => `SCMP_ARCH_${name}`);
  const head = `{"defaultAction":"SCMP_ACT_ERRNO","architectures":${JSON.stringify(architectures)},"syscalls":[`;
  let text = head;
  for (let at = 0; at < recipe.count; at++) {
    const entry = JSON.stringify(entryOf(recipe, at, random, names));
    if (text.length + entry.length + 3 > bytes) break;
    text += (at === 0 ? '' : ',') + entry;
  }
  text += ']}';
  return recipe.kind === 'text' ? damaged(text, random) : text;
}

function entryOf(recipe: Recipe, at: number, random: Random, names: readonly string[]): object {
  const name = names[(recipe.seed + random(recipe.calls)) % names.length]!;
  switch (recipe.kind) {
    case 'names': {
      const wrong = () => name.slice(0, random(name.length)) + random(1e6).toString(36) + name.slice(-2);
      return { names: Array.from({ length: 1 + random(1000) }, wrong), ...actionOf(recipe, at) };
    }
    case 'calls':
      return { names: [names[at % names.length]], ...actionOf(recipe, at), args: argsOf(recipe, at, random) };
    case 'keys':
      return { names: [name], ...actionOf(recipe, at), [`comma${random(1e6)}`]: at, ['Names']: [] };
    case 'faults':
      return { names: [name, 5], action: `SCMP_ACT_ALOW${random(50)}`, args: [{ index: 9, op: 'EQ' }] };
    case 'dialect':
      return {
        names: [name],
        ...actionOf(recipe, at),
        args: argsOf(recipe, at, random),
        includes: { caps: [`CAP_SYS_ADMN${random(1e6)}`], minKernel: '4.8' },
        excludes: { arches: [`amd${random(100)}`] },
      };
    default:
      return { names: [name], ...actionOf(recipe, at), args: argsOf(recipe, at, random) };
  }
}

function actionOf({ actions }: Recipe, at: number): object {
  if (actions === 1) return { action: 'SCMP_ACT_ALLOW' };
  return { action: 'SCMP_ACT_ERRNO', errnoRet: 2 + (at % actions) };
}

function argsOf(recipe: Recipe, at: number, random: Random): object[] {
  return Array.from({ length: recipe.args }, (_, index) => ({
    index,
    op: `SCMP_CMP_${OPERATORS[pick(random, recipe.operators)]}`,
    value: constantOf(recipe, at, random),
    valueTwo: constantOf(recipe, at, random),
  }));
}

/** Numbers that survive JSON.stringify: below 2^53, or a power of two. */
function constantOf({ constants, bits }: Recipe, at: number, random: Random): number {
  const size = 2 ** Math.min(bits, 53);
  switch (constants) {
    case 'random':
      return random(size);
    case 'ascending':
      return at * (1 + random(3));
    case 'bits':
      return 2 ** random(Math.min(bits, 60));
    case 'few':
      return random(4);
    case 'edges':
      return pick(random, [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + random(9), random(size)]);
  }
}

/** A text with a few letters cut out, doubled or exchanged. */
function damaged(text: string, random: Random): string {
  let result = text;
  for (let times = 1 + random(20); times > 0; times--) {
    const at = random(result.length);
    const what = pick(random, ['', ',', '"', '}', '[', '[[[[', '\\', '//', '\n#', result.slice(at, at + 50)]);
    result = result.slice(0, at) + what + result.slice(at + random(3));
  }
  return result;
}
