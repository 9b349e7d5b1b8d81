export { hostArch, hostKernel } from '../../host.ts';
