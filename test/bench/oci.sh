#!/bin/sh
# What `npm run bench:oci` runs: what a filter costs a container's start, by each way in which it gets there. As root,
# with crun, runc, podman and a static busybox. Options: --rounds N; --only with some of
# starts,hooks,bundles; --suite trixie with --only starts, for the runtimes of that Debian.
set -eu
cd "$(dirname "$0")/../.."

out=node_modules/.cache/seccompc-bench
npm run --silent build
node_modules/.bin/tsc -p test/bench/tsconfig.json --outDir "$out"
cp package.json "$out/"
unset NODE_EXTRA_CA_CERTS
# crun wants a pure cgroup2 tree; the mount goes with the namespace.
exec unshare -m sh -ec '
  umount -R /sys/fs/cgroup 2>/dev/null || true
  mount -t cgroup2 none /sys/fs/cgroup
  exec node "$@"' sh "$out/test/bench/oci.js" "$@"
