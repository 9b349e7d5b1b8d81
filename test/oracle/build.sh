#!/bin/sh
# Builds the C programs of the tests into a cache folder and prints its path.
#
#   test/oracle/build.sh newest|system|victim|clock|exchange|loaded [FOLDER]
#
# newest: `libseccomp` linked with the newest library that Debian has, unpacked into the folder without
#   touching the system; where that cannot be had, with the installed one, and says so.
# system: `libseccomp` linked with the installed library.
# victim: `victim64`, and `victim32` where the compiler can build for 32-bit x86.
# clock: `clock.so`, a clock that is set wrong.
# exchange: `exchange`, which exchanges two paths again and again.
# loaded: `loaded`, which tells the filter of a process; static, so that it runs in any tree.
#
# A program newer than its source is left alone. Exit 77: something that is needed is missing.
set -eu

what=${1:?newest, system or victim}
here=$(cd "$(dirname "$0")" && pwd)
cache=${2:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/seccompc-test}/$what
mkdir -p "$cache"
cd "$cache"

say() { echo "build.sh: $*" >&2; }
missing() { say "$*"; exit 77; }

command -v cc >/dev/null || missing "no C compiler"
flags="-std=gnu11 -O2 -Wall -Wextra -Werror"

# The package comes from the suite `sid` of the mirror this system already uses, checked by the system's keyring.
fetch_newest() {
  command -v apt-get >/dev/null || return 1
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep '/debian/$' | head -n 1)
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -n "$mirror" ] && [ -f "$keyring" ] || return 1
  rm -rf apt && mkdir -p apt/lists/partial apt/cache/archives/partial
  echo "deb [signed-by=$keyring] $mirror sid main" >apt/sources.list
  set -- -o "Dir::Etc::sourcelist=$cache/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o "Dir::State::lists=$cache/apt/lists" -o "Dir::Cache=$cache/apt/cache" \
    -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2
  (timeout 120 apt-get "$@" update && cd apt && timeout 60 apt-get "$@" download libseccomp-dev libseccomp2) >apt/log 2>&1 || return 1
  for package in apt/*.deb; do dpkg-deb -x "$package" apt/root || return 1; done
  libraries=$(dirname "$(find "$cache/apt/root/usr/lib" -name libseccomp.so.2 | head -n 1)")
  # shellcheck disable=SC2086
  cc $flags -I apt/root/usr/include "$here/libseccomp.c" -o libseccomp.new -L "$libraries" -lseccomp \
    -Wl,-rpath,"$libraries" && ./libseccomp.new version >/dev/null
}

case $what in
  newest | system)
    if [ ! -x libseccomp ] || [ "$here/libseccomp.c" -nt libseccomp ] || [ "$here/build.sh" -nt libseccomp ]; then
      if [ "$what" = system ] || ! fetch_newest; then
        [ "$what" = system ] || say "the newest libseccomp cannot be had here (see $cache/apt/log): using the installed one"
        # shellcheck disable=SC2086
        cc $flags "$here/libseccomp.c" -o libseccomp.new -lseccomp || missing "no libseccomp to link with"
      fi
      mv libseccomp.new libseccomp
      say "libseccomp $(./libseccomp version)"
    fi
    ;;
  victim)
    if [ ! -x victim64 ] || [ ! -x victim32 ] || [ "$here/victim.c" -nt victim64 ]; then
      # shellcheck disable=SC2086
      cc $flags -mno-red-zone "$here/victim.c" -o victim64
      # Of Debian's packages, gcc-multilib alone has the kernel's headers where -m32 looks, and excludes cross compilers.
      # shellcheck disable=SC2086
      cc $flags -m32 -idirafter "/usr/include/$(cc -print-multiarch)" "$here/victim.c" -o victim32 ||
        { rm -f victim32; say "no 32-bit victim: install gcc-multilib, or gcc-12-multilib beside cross compilers"; }
    fi
    ;;
  clock)
    if [ ! -f clock.so ] || [ "$here/clock.c" -nt clock.so ]; then
      # shellcheck disable=SC2086
      cc $flags -shared -fPIC "$here/clock.c" -o clock.so -ldl
    fi
    ;;
  exchange)
    if [ ! -x exchange ] || [ "$here/exchange.c" -nt exchange ]; then
      # shellcheck disable=SC2086
      cc $flags "$here/exchange.c" -o exchange.new || missing "no C compiler for this machine"
      mv exchange.new exchange
    fi
    ;;
  loaded)
    if [ ! -x loaded ] || [ "$here/loaded.c" -nt loaded ]; then
      # shellcheck disable=SC2086
      cc $flags -static "$here/loaded.c" -o loaded
    fi
    ;;
  *) missing "unknown program $what" ;;
esac
echo "$cache"
