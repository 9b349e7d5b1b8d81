/**
 * What a filter is made fast for.
 *
 * - `attach`: the kernel's attach, which emulates the program once for each number of the native
 *   and the compat architecture. Since Linux 5.11 allowed calls cost nothing afterwards.
 * - `frequency`: the calls that programs make most, for older kernels and for architectures without
 *   the kernel's allow-bitmap.
 * - `size`: fewest instructions after the kernel's conversion to eBPF.
 */
export const OPTIMIZE_GOALS = ['attach', 'frequency', 'size'] as const;
export type Optimize = (typeof OPTIMIZE_GOALS)[number];
