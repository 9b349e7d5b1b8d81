/**
 * What loads the filter of a source text, behind the filter. One text for each language, in which
 * only the flags differ, so that a reader of filters can tell it from everything else.
 */

const FLAGS = '@FLAGS@';

const LOADERS = {
  c: `
#ifdef SECCOMPC_MAIN
/* cc -DSECCOMPC_MAIN -o sandboxed THIS-FILE && ./sandboxed COMMAND [ARG...] */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not every standard of C declares it. */
long syscall(long, ...);

int main(int argc, char **argv)
{
    /* SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_* */
    enum { MODE = 1, FLAGS = ${FLAGS} };
    (void)argc;
    if (!argv[0] || !argv[1]) {
        fputs("usage: sandboxed COMMAND [ARG...]\\n", stderr);
        return 64;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, MODE, FLAGS, &seccomp_program)) {
        perror("seccomp");
        return 69;
    }
    execvp(argv[1], argv + 1);
    const int code = errno == ENOENT ? 127 : 126;
    perror(argv[1]);
    return code;
}
#endif
`,
  go: `
// Load loads the filter into all threads of the process, with no_new_privs. It fails with the errno
// of the call, or with ESRCH where a thread has another filter.
func Load() error {
	numbers := map[string]uintptr{
		"386": 354, "amd64": 317, "arm": 383, "arm64": 277, "loong64": 277, "mips": 4352, "mipsle": 4352,
		"mips64": 5312, "mips64le": 5312, "ppc64": 358, "ppc64le": 358, "riscv64": 277, "s390x": 348,
	}
	number, known := numbers[runtime.GOARCH]
	if !known {
		return syscall.ENOSYS
	}
	// PR_SET_NO_NEW_PRIVS is for this thread, SECCOMP_FILTER_FLAG_TSYNC takes it to the others.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, 38, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	program := struct {
		length uint16
		filter *SockFilter
	}{uint16(len(Filter)), &Filter[0]}
	thread, _, errno := syscall.RawSyscall(number, 1, ${FLAGS}|1, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	if thread != 0 {
		return syscall.ESRCH
	}
	return nil
}
`,
  rust: `
/// Loads the filter into this thread, and so into those that it starts from now on, with no_new_privs.
/// For editions of Rust up to 2021; later ones want "unsafe extern".
#[allow(dead_code)]
pub fn load_filter() -> std::io::Result<()> {
    use std::os::raw::{c_long, c_ulong};
    extern "C" {
        fn prctl(option: i32, ...) -> i32;
        fn syscall(number: c_long, ...) -> c_long;
    }
    #[repr(C)]
    struct Program {
        length: u16,
        filter: *const SockFilter,
    }
    const NUMBER: c_long = match std::env::consts::ARCH.as_bytes() {
        b"x86_64" => 317,
        b"x86" => 354,
        b"arm" => 383,
        b"mips" => 4352,
        b"mips64" => 5312,
        b"powerpc" | b"powerpc64" => 358,
        b"s390x" => 348,
        // As all newer architectures have it.
        _ => 277,
    };
    const PR_SET_NO_NEW_PRIVS: i32 = 38;
    const SECCOMP_SET_MODE_FILTER: c_ulong = 1;
    const FLAGS: c_ulong = ${FLAGS};
    let program = Program { length: SECCOMP_FILTER.len() as u16, filter: SECCOMP_FILTER.as_ptr() };
    let (one, zero): (c_ulong, c_ulong) = (1, 0);
    // The kernel copies the program during the call.
    let failed = unsafe {
        prctl(PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) != 0
            || syscall(NUMBER, SECCOMP_SET_MODE_FILTER, FLAGS, &program as *const Program) != 0
    };
    if failed { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}
`,
} as const;

export function loaderText(language: keyof typeof LOADERS, flags: number): string {
  return LOADERS[language].replaceAll(FLAGS, String(flags));
}

/**
 * A source without the loader behind it: both as they are without comments, with one blank where
 * there are any.
 */
export function withoutLoader(code: string, plain: (source: string) => string): string {
  for (const loader of Object.values(LOADERS)) {
    const [before, behind] = plain(loader).split(FLAGS) as [string, string];
    const end = code.length - behind.length;
    const begin = code.lastIndexOf(before, end);
    if (begin < 0 || !code.endsWith(behind)) continue;
    if (/^\d$/.test(code.slice(begin + before.length, end))) return code.slice(0, begin).trimEnd();
  }
  return code;
}
