#!/bin/sh
# run.sh ARCH KERNEL: boots a kernel of Debian for an architecture with a launcher as its first program, as root.
#
# Needs qemu-system-{arm,misc,ppc}, opensbi, cpio, the cross compilers of .ci/run, `npm run build`. KERNEL is
# boot/vmlinu* of a package linux-image-* (apt-get download, dpkg-deb -x). A boot takes 2 to 20 seconds.
set -eu
cd "$(dirname "$0")"
arch=$1 kernel=$2
case $arch in
x86_64) set -- x86_64-linux-gnu '' qemu-system-x86_64 ttyS0 ;;
aarch64) set -- aarch64-linux-gnu '' qemu-system-aarch64 ttyAMA0 -M virt -cpu max ;;
arm) set -- arm-linux-gnueabi '-march=armv5te -marm' qemu-system-arm ttyAMA0 -M virt ;;
ppc64le) set -- powerpc64le-linux-gnu '' qemu-system-ppc64 hvc0 -M pseries ;;
riscv64) set -- riscv64-linux-gnu '-mno-relax' qemu-system-riscv64 ttyS0 -M virt ;;
s390x) set -- s390x-linux-gnu '' qemu-system-s390x ttysclp0 -M s390-ccw-virtio ;;
esac
compiler=$1 flags=$2 emulator=$3 console=$4
shift 4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/dev"
mknod "$work/root/dev/console" c 5 1
# shellcheck disable=SC2086
"$compiler-gcc" -Os -ffreestanding -fno-builtin -fno-stack-protector -fno-tree-loop-distribute-patterns -nostdlib \
  -static -no-pie -fno-pie -w $flags -o "$work/root/bin/probe" probe.c
cat >"$work/profile.json" <<'JSON'
{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}
JSON
node ../../../dist/cli/main.cjs compile "$work/profile.json" --arch "$arch" --format elf -q --no-cache -o "$work/root/sandboxed"
(cd "$work/root" && find . | cpio -o -H newc 2>/dev/null | gzip) >"$work/initrd"
timeout 120 "$emulator" "$@" -m 512 -nic none -nographic -no-reboot -kernel "$kernel" -initrd "$work/initrd" \
  -append "console=$console panic=-1 rdinit=/sandboxed -- probe a b" </dev/null 2>&1 |
  tr -d '\r' | grep -aE '^PROBE probe a b: under the filter|^PROBE|^seccompc|Linux version'
