import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface ConnectionLimits {
  /** Connections at a time. */
  connections: number;
  /** Requests of one connection that are worked on at a time. */
  requests: number;
  /** Bytes of one body. */
  body: number;
  /**
   * Bytes of bodies that connections may have beyond their equal shares, which are as much once
   * more.
   */
  bodies: number;
  /** Milliseconds in which a client must have taken an answer. */
  writeTime: number;
}

/** What one client has at the server. */
export interface Connection {
  readonly socket: Socket;
  closed: boolean;
  /** Requests that are not answered yet, those that wait for their turn included. */
  open: number;
  /** Those that are worked on. */
  working: number;
  waiting: (() => void)[];
  /** Requests whose body is being read. */
  reading: number;
  /** Bytes of bodies that are held for it. */
  held: number;
  /** A number that grows with each request of any connection. */
  lastUse: number;
}

/** The clients of a server and their limits: one client cannot use up what others need. */
export interface Connections {
  /** Adds a connection. If there are too many, an idle one is closed. */
  opened(socket: Socket): void;
  /** Undefined for one that was closed to make room. */
  of(socket: Socket): Connection | undefined;
  /** Begins with a request, at once or when earlier ones of its connection are answered. */
  begin(connection: Connection, response: ServerResponse, work: () => void): void;
  /** Closes the connection if its client does not read its answers. */
  guard(response: ServerResponse, socket: Socket): void;
  /** Writes a last answer and closes, whether the client takes it or not. */
  endWith(socket: Socket, bytes: Buffer): void;
  /** Counts bytes that are held for a connection, and tells whether it may hold that many. */
  take(connection: Connection, bytes: number): boolean;
  give(connection: Connection, bytes: number): void;
  readonly limits: ConnectionLimits;
  /** Connections, and requests that are not answered yet. */
  readonly count: number;
  readonly open: number;
  /** Called when no request is open any more, at once if none is. */
  whenIdle(call: () => void): void;
}

/**
 * Requests that one connection may have sent without waiting for answers. A client with more gets
 * none of them.
 */
const MOST_OPEN = 64;

/** @param onGone Receives each connection that was closed. */
export function makeConnections(
  limits: ConnectionLimits,
  onGone: (connection: Connection) => void,
): Connections {
  const all = new Map<Socket, Connection>();
  /**
   * Half of what bodies may take is divided among the connections, the other half is for those that
   * need more.
   */
  const share = Math.floor(limits.bodies / limits.connections);
  let free = limits.bodies;
  let uses = 0;
  let open = 0;
  let idle: (() => void) | undefined;

  function closed(connection: Connection): void {
    connection.closed = true;
    connection.waiting.length = 0;
    all.delete(connection.socket);
    // A response that waits for an earlier one emits no event for this.
    count(connection, -connection.open);
    onGone(connection);
  }

  function count(connection: Connection, change: number): void {
    connection.open += change;
    open += change;
    if (open === 0) idle?.();
  }

  /**
   * Idle connections first, then those that are still sending a request; the longest unused of
   * them.
   */
  function mostDispensable(): Connection | undefined {
    const rank = ({ open: requests, reading }: Connection) => (requests === 0 ? 0 : reading > 0 ? 1 : 2);
    const [first] = [...all.values()]
      .filter((one) => rank(one) < 2)
      .toSorted((a, b) => rank(a) - rank(b) || a.lastUse - b.lastUse);
    return first;
  }

  function begin(connection: Connection, work: () => void): void {
    connection.working += 1;
    work();
  }

  function beginWaiting(connection: Connection): void {
    const { waiting, socket } = connection;
    if (waiting.length === 0) return;
    while (connection.working < limits.requests && waiting.length > 0) begin(connection, waiting.shift()!);
    if (waiting.length === 0) socket.resume();
  }

  /** Closes the connection unless that has come to its end in time. */
  function closeLater(socket: Socket, unlessClosed: Socket | ServerResponse): void {
    const timer = setTimeout(() => socket.destroy(), limits.writeTime);
    unlessClosed.once('close', () => clearTimeout(timer));
  }

  function guard(response: ServerResponse, socket: Socket): void {
    if (socket.writableLength > 0) closeLater(socket, response);
  }

  const beyondShare = (held: number) => Math.max(0, held - share);
  function hold(connection: Connection, change: number): boolean {
    const before = beyondShare(connection.held);
    connection.held += change;
    free -= beyondShare(connection.held) - before;
    return free >= 0;
  }

  return {
    limits,
    opened(socket) {
      if (all.size >= limits.connections) {
        const other = mostDispensable();
        if (other === undefined) return void socket.destroy();
        other.socket.destroy();
        all.delete(other.socket);
      }
      const connection: Connection = {
        socket,
        closed: false,
        open: 0,
        working: 0,
        waiting: [],
        reading: 0,
        held: 0,
        lastUse: (uses += 1),
      };
      all.set(socket, connection);
      socket.once('close', () => closed(connection));
    },
    of: (socket) => all.get(socket),
    begin(connection, response, work) {
      const { socket } = connection;
      if (socket.destroyed) return;
      count(connection, 1);
      connection.lastUse = uses += 1;
      if (connection.open > MOST_OPEN) return void socket.destroy();
      response.once('prefinish', () => guard(response, socket));
      response.once('close', () => {
        if (connection.closed) return;
        count(connection, -1);
        connection.working -= 1;
        beginWaiting(connection);
      });
      if (connection.working < limits.requests) return begin(connection, work);
      connection.waiting.push(work);
      // Requests that were parsed already still arrive.
      socket.pause();
    },
    guard,
    endWith(socket, bytes) {
      socket.end(bytes);
      closeLater(socket, socket);
      socket.destroySoon();
    },
    take: (connection, bytes) => hold(connection, bytes),
    give: (connection, bytes) => void hold(connection, -bytes),
    get count() {
      return all.size;
    },
    get open() {
      return open;
    },
    whenIdle(call) {
      idle = call;
      if (open === 0) call();
    },
  };
}
