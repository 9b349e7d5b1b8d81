#!/bin/sh
# Builds the C programs of the benchmark into a folder and prints its path.
#
#   test/bench/build.sh kernel
#   test/bench/build.sh newest|system
#
# kernel: `attach`, `calls` and `processes`. newest, system: `libseccomp`, linked with the library that
# test/oracle/build.sh finds under that name, and `numbers`, that script's own program.
#
# Exit 77: something that is needed is missing.
set -eu

what=${1:?kernel, newest or system}
here=$(cd "$(dirname "$0")" && pwd)
folder=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/seccompc-bench/$what
flags="-std=gnu11 -O2 -Wall -Wextra -Werror"

command -v cc >/dev/null || { echo "build.sh: no C compiler" >&2; exit 77; }
mkdir -p "$folder"
case $what in
  kernel)
    # shellcheck disable=SC2086
    for name in attach calls processes; do cc $flags "$here/$name.c" -o "$folder/$name"; done
    ;;
  newest | system)
    oracle=$("$here/../oracle/build.sh" "$what")
    library=$(ldd "$oracle/libseccomp" | awk '/libseccomp\.so/ { print $3 }')
    # Headers that came with the library go before the installed ones; there are none beside an installed library.
    # shellcheck disable=SC2086
    cc $flags -I "${library%/lib/*}/include" "$here/libseccomp.c" -o "$folder/libseccomp" "$library" -Wl,-rpath,"$(dirname "$library")"
    ln -sf "$oracle/libseccomp" "$folder/numbers"
    ;;
esac
echo "$folder"
