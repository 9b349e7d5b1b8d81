/**
 * A resident compiler at a Unix socket, and its client: `seccompc serve` as functions. Needs Node.
 */
export { connect } from './client.ts';
export type { Connection, ConnectOptions, ServerFilter } from './client.ts';
export { startServer } from './server.ts';
export type { ServerLimits, RunningServer, ServerSettings } from './server.ts';
export type { FilterDocument } from '../format/filter-document.ts';
export type { HostDefaults } from './query.ts';
