/**
 * The fields of an ELF header that change when bytes are appended to a program or cut off (elf.h).
 */

interface Layout {
  readonly wide: boolean;
  /**
   * Offsets in the file header: of the program headers, of the section headers, and of three u16
   * about the latter.
   */
  readonly programs: number;
  readonly sections: number;
  readonly sectionCounts: number;
  /** Offsets in a program header. */
  readonly fileSize: number;
  readonly memorySize: number;
}

/** By EI_CLASS. */
const LAYOUTS: Record<number, Layout> = {
  1: { wide: false, programs: 28, sections: 32, sectionCounts: 46, fileSize: 16, memorySize: 20 },
  2: { wide: true, programs: 32, sections: 40, sectionCounts: 58, fileSize: 32, memorySize: 40 },
};

/** Header fields of a program whose first segment begins at the begin of the file. */
export class ElfHeader {
  readonly littleEndian: boolean;
  readonly #view: DataView;
  readonly #layout: Layout;

  constructor(image: Uint8Array) {
    this.#view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.#layout = LAYOUTS[image[4]!]!;
    this.littleEndian = image[5] === 1;
  }

  /** How many bytes of the file the kernel loads. */
  get loaded(): number {
    return this.#get(this.#segment + this.#layout.fileSize);
  }

  set loaded(bytes: number) {
    this.#set(this.#segment + this.#layout.fileSize, bytes);
    this.#set(this.#segment + this.#layout.memorySize, bytes);
  }

  removeSections(): void {
    const { sections, sectionCounts } = this.#layout;
    this.#set(sections, 0);
    for (const offset of [0, 2, 4]) this.#view.setUint16(sectionCounts + offset, 0);
  }

  get #segment(): number {
    return this.#get(this.#layout.programs);
  }

  #get(offset: number): number {
    if (!this.#layout.wide) return this.#view.getUint32(offset, this.littleEndian);
    return Number(this.#view.getBigUint64(offset, this.littleEndian));
  }

  #set(offset: number, value: number): void {
    if (this.#layout.wide) this.#view.setBigUint64(offset, BigInt(value), this.littleEndian);
    else this.#view.setUint32(offset, value, this.littleEndian);
  }
}
