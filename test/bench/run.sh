#!/bin/sh
# run.sh NAME [OPTION...]: builds the command and the benchmarks with tsc, then runs test/bench/NAME.ts.
set -eu
cd "$(dirname "$0")/../.."

name=$1
shift
out=node_modules/.cache/seccompc-bench
npm run --silent build
node_modules/.bin/tsc -p test/bench/tsconfig.json
cp package.json "$out/"
# Node 20 reads the file named here at every start, 30 ms for a whole set of certificates.
unset NODE_EXTRA_CA_CERTS
exec node "$out/test/bench/$name.js" "$@"
