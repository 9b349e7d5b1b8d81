/** The build puts the package's code in here: bundlers for Node find only its UMD form, which they cannot bundle. */
export { createScanner } from 'jsonc-parser';
