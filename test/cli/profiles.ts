/** Small profiles for the tests of the command line. */

/** Two architectures, an argument rule, nothing to complain about. */
export const PLAIN = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": ["read", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
     "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
  ]
}
`;

/** A name that no table has, on line 5: a warning. */
export const WITH_WARNING = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": ["read", "raed"], "action": "SCMP_ACT_ALLOW"}
  ]
}
`;

/** Two faults, on lines 2 and 4. */
export const FAULTY = `{
  "defaultAction": "SCMP_ACT_DENY",
  "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_PERMIT"}
  ]
}
`;

/** What it becomes depends on capabilities, kernel and engine. */
export const DOCKER = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "archMap": [
    {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
  ],
  "syscalls": [
    {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
    {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
    {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}}
  ]
}
`;

/** A container configuration that asks for no filter. */
export const UNCONFINED_CONFIG = `{"ociVersion": "1.2.0", "process": {"args": ["true"]}, "linux": {}}
`;
