/**
 * The build puts the package's code here: bundlers for Node find only its UMD form, and fail on it.
 */
export { createScanner } from 'jsonc-parser';
