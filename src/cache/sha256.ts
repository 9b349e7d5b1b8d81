import { blocksEach, code, functions, initial, input, state } from './generated/sha256-module.ts';

/** Blocks of 64 bytes that are hashed without node:crypto, in all: some 36 KB, enough for what one start reads or keeps. */
const MOST_BLOCKS = functions * blocksEach;

/** What is used of it. */
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { exports: Exports };
};
type Exports = Record<string, Compress> & { memory: { buffer: ArrayBuffer } };
/** Takes the blocks between two addresses into the hash value. */
type Compress = (at: number, end: number) => void;

let ram: Buffer | undefined;
let compress: Compress[] = [];
let done = 0;

/**
 * SHA-256 of the bytes, 64 hex digits.
 *
 * To load node:crypto takes 3 to 7 ms, as much as all else that a process does which finds its answer in the store. So
 * the first few blocks of a process are left to a few kilobytes of WebAssembly, and only what comes then to OpenSSL.
 */
export function sha256(bytes: Uint8Array): string {
  const blocks = Math.ceil((bytes.length + 9) / 64);
  if (done + blocks <= MOST_BLOCKS && (ram ??= instantiated()) !== undefined) return hash(ram, bytes, blocks);
  done = MOST_BLOCKS;
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(bytes).digest('hex');
}

/** Undefined where Node is not to make code (--jitless). */
function instantiated(): Buffer | undefined {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(code, 'base64')));
    compress = Array.from({ length: functions }, (_, at) => exports[`compress${at}`]!);
    return Buffer.from(exports.memory.buffer);
  } catch {
    return undefined;
  }
}

function hash(memory: Buffer, bytes: Uint8Array, blocks: number): string {
  for (let at = 0; at < 8; at++) memory.writeUInt32LE(initial[at]!, state[at]);
  const end = input + 64 * blocks;
  memory.set(bytes, input);
  memory.fill(0, input + bytes.length, end);
  memory[input + bytes.length] = 0x80;
  memory.writeUInt32BE(8 * bytes.length, end - 4);
  for (let at = input; at < end;) {
    const some = Math.min(blocksEach - (done % blocksEach), (end - at) / 64);
    compress[Math.floor(done / blocksEach)]!(at, at + 64 * some);
    done += some;
    at += 64 * some;
  }
  const digest = Buffer.allocUnsafe(32);
  for (let at = 0; at < 8; at++) digest.writeUInt32BE(memory.readUInt32LE(state[at]), 4 * at);
  return digest.toString('hex');
}
