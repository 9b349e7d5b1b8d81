/** What the store is made of, in one module: the build puts these packages into it. */
export { Keyv } from 'keyv';
export { KeyvSqlite } from '@keyv/sqlite';
