/** One generated file: where it goes, relative to the project, and all of its text. */
export interface Output {
  readonly path: string;
  readonly content: string;
}
