/**
 * What the engines make of --cap-add and --cap-drop: facts, each seen on podman 4.3.1 and on Docker
 * 20.10 and 26.1, and read in the sources and tests of moby (oci/caps, docker_cli_run_test) and
 * containers/common (pkg/capabilities). The slow suite asks both engines again.
 */

/** A set: where it starts, then without some, then with some. */
export interface Expected {
  from: 'default' | 'none' | 'all';
  without?: readonly string[];
  with?: readonly string[];
}

export interface CapabilityFact {
  add: readonly string[];
  drop: readonly string[];
  docker: Expected | 'refused';
  podman: Expected | 'refused';
}

const both = (add: readonly string[], drop: readonly string[], expected: Expected | 'refused') => ({
  add,
  drop,
  docker: expected,
  podman: expected,
});

export const CAPABILITY_FACTS: readonly CapabilityFact[] = [
  both([], [], { from: 'default' }),
  both(['SYS_ADMIN'], [], { from: 'default', with: ['CAP_SYS_ADMIN'] }),
  both(['CHOWN'], [], { from: 'default' }),
  both([], ['chown'], { from: 'default', without: ['CAP_CHOWN'] }),
  both(['SYS_ADMIN'], ['CHOWN'], { from: 'default', without: ['CAP_CHOWN'], with: ['CAP_SYS_ADMIN'] }),
  both(['sys_admin', 'CAP_SYSLOG'], ['cap_chown', 'KILL'], {
    from: 'default',
    without: ['CAP_CHOWN', 'CAP_KILL'],
    with: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'],
  }),

  // ALL is where to start, and what the other list names is an exception.
  both([], ['ALL'], { from: 'none' }),
  both([], ['all'], { from: 'none' }),
  both(['SYS_CHROOT'], ['ALL'], { from: 'none', with: ['CAP_SYS_CHROOT'] }),
  both(['MKNOD', 'SETGID'], ['ALL'], { from: 'none', with: ['CAP_MKNOD', 'CAP_SETGID'] }),
  both(['ALL'], [], { from: 'all' }),
  both(['ALL'], ['SYS_ADMIN'], { from: 'all', without: ['CAP_SYS_ADMIN'] }),
  both(['ALL'], ['NET_ADMIN', 'MKNOD'], { from: 'all', without: ['CAP_NET_ADMIN', 'CAP_MKNOD'] }),
  // What stands beside ALL in the same list has no effect, and is not compared with the other list.
  both(['ALL', 'SYS_ADMIN'], ['SYS_ADMIN'], { from: 'all', without: ['CAP_SYS_ADMIN'] }),
  both(['CHOWN'], ['ALL', 'CHOWN'], { from: 'none', with: ['CAP_CHOWN'] }),

  // The same capability in both lists.
  { add: ['SYS_CHROOT'], drop: ['SYS_CHROOT'], docker: { from: 'default' }, podman: 'refused' },
  {
    add: ['SYS_ADMIN'],
    drop: ['SYS_ADMIN'],
    docker: { from: 'default', with: ['CAP_SYS_ADMIN'] },
    podman: 'refused',
  },
  {
    add: ['CAP_SYS_ADMIN'],
    drop: ['CHOWN', 'sys_admin'],
    docker: { from: 'default', without: ['CAP_CHOWN'], with: ['CAP_SYS_ADMIN'] },
    podman: 'refused',
  },
  { add: ['ALL'], drop: ['ALL'], docker: { from: 'all' }, podman: 'refused' },
  {
    add: ['ALL'],
    drop: ['ALL', 'SYS_ADMIN'],
    docker: { from: 'all', without: ['CAP_SYS_ADMIN'] },
    podman: 'refused',
  },

  // No name of a capability.
  both(['CAP_ALL'], [], 'refused'),
  both([], ['CAP_ALL'], 'refused'),
  both(['NO_SUCH'], [], 'refused'),
];
