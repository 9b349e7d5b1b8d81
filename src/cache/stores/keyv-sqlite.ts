/** The build bundles these packages into this module. */
export { Keyv } from 'keyv';
export { KeyvSqlite } from '@keyv/sqlite';
