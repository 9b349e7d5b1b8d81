/** The JSON files that tell podman its hooks: oci-hooks(5). */
import { readFileSync } from 'node:fs';

/** One hook. Paths are absolute, because a hook gets no environment of podman. */
export interface HookFile {
  path: string;
  args: string[];
  env: string[];
  stage: 'precreate' | 'createRuntime' | 'poststart';
}

/** Seconds after which podman ends a hook, and refuses the start. */
const TIMEOUT = 10;

export function formatHookFile({ path, args, env, stage }: HookFile): string {
  const hook = { path, args, ...(env.length === 0 ? {} : { env }), timeout: TIMEOUT };
  return `${JSON.stringify({ version: '1.0.0', hook, when: { always: true }, stages: [stage] }, null, 2)}\n`;
}

/** Reads what {@link formatHookFile} wrote; undefined for anything else, `null` without a file. */
export function readHookFile(file: string): HookFile | undefined | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  try {
    const { hook, stages } = JSON.parse(text) as {
      hook: Omit<HookFile, 'stage'>;
      stages: HookFile['stage'][];
    };
    const found = { path: hook.path, args: hook.args, env: hook.env ?? [], stage: stages[0]! };
    return formatHookFile(found) === text && isOurs(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the hook runs this command, through awk or directly. */
function isOurs({ args, env, stage }: HookFile): boolean {
  if (stage !== 'precreate') return args.includes('hook') && args.includes('check');
  return env.some((variable) => variable.startsWith('SECCOMPC_STORE=')) || args.includes('precreate');
}

export function variableOf({ env }: HookFile, name: string): string | undefined {
  return env.find((variable) => variable.startsWith(`${name}=`))?.slice(name.length + 1);
}
