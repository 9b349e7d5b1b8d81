import { parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { ALLOW, errno, errnoOf, localArches, namesOf, refuse } from './draft.ts';
import type { Answer, Draft, Place } from './draft.ts';

const KILL: Answer = { action: 'SCMP_ACT_KILL_PROCESS' };

/** Other settings of systemd.exec(5) that install filters. */
const OTHER_FILTERS =
  /^(LockPersonality|MemoryDenyWriteExecute|Protect(Clock|Hostname|KernelLogs|KernelModules|KernelTunables)|PrivateDevices|Restrict(AddressFamilies|Namespaces|Realtime|SUIDSGID))$/;

/** What systemd calls architectures, where that is no name that parseArch knows. */
const ARCHES: Record<string, string> = { 'x86-64': 'x86_64', 'mips64-le': 'mipsel64', 'mips-le': 'mipsel' };

/**
 * `SystemCallFilter=`, `SystemCallErrorNumber=` and `SystemCallArchitectures=` of a unit:
 * systemd.exec(5), and seccomp_parse_syscall_filter in systemd's src/shared/seccomp-util.c.
 */
export function systemdDraft(text: string, file: string, arch: ArchName): Draft & { notes: Diagnostic[] } {
  const filter = new Filter(arch);
  let refused = KILL;
  let arches: Set<ArchName> | undefined;
  const notes: Diagnostic[] = [];
  for (const { key, value, place } of settingsIn(text, file)) {
    const words = value.split(/\s+/).filter((word) => word !== '');
    if (/["'\\%]/.test(value) && key.startsWith('SystemCall'))
      refuse(place, 'quotes, escapes and specifiers are not read');
    if (key === 'SystemCallFilter') filter.add(value, place);
    else if (key === 'SystemCallErrorNumber')
      refused = value === '' || value === 'kill' ? KILL : errno(errnoOf(value, arch, place));
    else if (key === 'SystemCallArchitectures')
      arches =
        words.length === 0
          ? undefined
          : new Set([...(arches ?? []), ...words.map((word) => archNamed(word, arch, place))]);
    else if (key === 'SystemCallLog') refuse(place, 'SystemCallLog= logs calls that another rule decides');
    else if (OTHER_FILTERS.test(key))
      notes.push({ ...diagnostic('IMPORT_LEFT_OUT', { setting: `${key}=` }), ...place, column: 1 });
  }
  if (!filter.isSet) refuse({ file }, 'the unit has no SystemCallFilter=');
  const architectures = [
    arch,
    ...localArches(arch)
      .slice(1)
      .filter((each) => arches === undefined || arches.has(each)),
  ];
  if (arch === 'S390X' && arches?.has('S390') !== false) architectures.push('S390');
  return { ...filter.draft(refused), architectures, notes };
}

/** The calls that the lines so far have listed, and whether these are the allowed ones. */
class Filter {
  isSet = false;
  private allows = false;
  private readonly listed = new Map<string, Answer | undefined>();
  private readonly arch: ArchName;

  constructor(arch: ArchName) {
    this.arch = arch;
  }

  /** One line: `~` inverts it; the first line decides what the others add to or take from. */
  add(value: string, place: Place): void {
    const inverts = value.startsWith('~');
    const words = value.slice(inverts ? 1 : 0).split(/\s+/).filter((word) => word !== ''); // prettier-ignore
    if (value === '') {
      this.isSet = false;
      this.listed.clear();
      return;
    }
    if (!this.isSet) {
      this.isSet = true;
      this.allows = !inverts;
      if (this.allows) for (const name of namesOf('@default', place)) this.listed.set(name, undefined);
    }
    for (const word of words) {
      const [, name = '', number] = /^([^:]*)(?::(.*))?$/.exec(word) ?? [];
      if (number !== undefined && !inverts) refuse(place, `an allowed call cannot have an errno: ${word}`);
      const answer =
        number === undefined
          ? undefined
          : number === 'kill'
            ? KILL
            : errno(errnoOf(number, this.arch, place));
      for (const call of namesOf(name, place))
        if (inverts === this.allows) this.listed.delete(call);
        else this.listed.set(call, answer);
    }
  }

  draft(refused: Answer): Omit<Draft, 'architectures'> {
    const [fallback, listed] = this.allows ? [refused, ALLOW] : [ALLOW, refused];
    return { fallback, rules: [...this.listed].map(([name, answer]) => ({ name, ...(answer ?? listed) })) };
  }
}

interface Setting {
  key: string;
  value: string;
  place: Place;
}

/** The settings of a unit in its order: comments taken off, lines that end in `\` joined. */
function settingsIn(text: string, file: string): Setting[] {
  const settings: Setting[] = [];
  let open: Setting | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const place = { file, line: index + 1 };
    const line = raw.trim();
    if (line === '' && open === undefined) continue;
    if (/^[#;]/.test(line)) continue;
    const [, key = '', value = ''] = open ? [] : (/^([A-Za-z][\w-]*)\s*=\s*(.*)$/.exec(line) ?? []);
    if (open === undefined && key === '') {
      if (!/^\[[^\]]+\]$/.test(line)) refuse(place, 'this is no line of a unit');
      continue;
    }
    const setting: Setting = open ?? { key, value: '', place };
    const part: string = open ? line : value;
    const continues = part.endsWith('\\');
    setting.value = `${setting.value} ${continues ? part.slice(0, -1) : part}`.trim();
    if (open === undefined) settings.push(setting);
    open = continues ? setting : undefined;
  }
  return settings;
}

function archNamed(word: string, native: ArchName, place: Place): ArchName {
  const found = word === 'native' ? native : parseArch(ARCHES[word] ?? word);
  return found ?? refuse(place, `unknown architecture "${word}"`);
}
