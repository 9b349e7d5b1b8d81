#!/bin/sh
# What `npm run bench` runs: builds the command and the benchmark with tsc, then measures. Takes the options of main.ts.
set -eu
cd "$(dirname "$0")/../.."

out=node_modules/.cache/seccompc-bench
tsc=node_modules/.bin/tsc
npm run --silent build
"$tsc" -p test/bench/tsconfig.json --outDir "$out"
cp package.json "$out/"
# Node 20 reads the file named here at every start, 30 ms for a whole set of certificates.
unset NODE_EXTRA_CA_CERTS
exec node "$out/test/bench/main.js" "$@"
