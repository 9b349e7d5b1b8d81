/** What engines have to be told of a runtime, ready to be copied. */

export interface Snippet {
  engine: string;
  /** The file that the text belongs to, or "command line". */
  place: string;
  text: string;
}

/** @param name a word without quotes, as containers are given it where the engine has names */
export function snippets(file: string, name: string): Snippet[] {
  const path = JSON.stringify(file);
  const containerd = (plugin: string) => `[plugins.${plugin}.containerd.runtimes.${name}]
  runtime_type = "io.containerd.runc.v2"
  [plugins.${plugin}.containerd.runtimes.${name}.options]
    BinaryName = ${path}`;
  const command = (engine: string, text: string) => ({ engine, place: 'command line', text });
  return [
    {
      engine: 'Docker',
      place: '/etc/docker/daemon.json; "default-runtime" makes it the default of all containers',
      text: JSON.stringify({ runtimes: { [name]: { path: file } }, 'default-runtime': name }, null, 2),
    },
    command('Docker', `docker run --runtime=${name} IMAGE`),
    {
      engine: 'containerd 1.x, for Kubernetes and crictl',
      place: '/etc/containerd/config.toml, version = 2',
      text: containerd('"io.containerd.grpc.v1.cri"'),
    },
    {
      engine: 'containerd 2.x, for Kubernetes and crictl',
      place: '/etc/containerd/config.toml, version = 3',
      text: containerd("'io.containerd.cri.v1.runtime'"),
    },
    command('containerd', `ctr run --runc-binary=${file} IMAGE NAME`),
    command('nerdctl', `nerdctl run --runtime=${file} IMAGE`),
    {
      engine: 'CRI-O',
      place: '/etc/crio/crio.conf.d/50-seccompc.conf',
      text: `[crio.runtime]
default_runtime = "${name}"
[crio.runtime.runtimes.${name}]
runtime_path = ${path}
runtime_type = "oci"`,
    },
    {
      engine: 'Kubernetes',
      place: 'kubectl apply; a pod names it as runtimeClassName',
      text: `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: ${name.toLowerCase().replaceAll('_', '-')}
handler: ${name}`,
    },
    {
      engine: 'podman',
      place: 'containers.conf; "runtime" makes it the default of all containers',
      text: `[engine]
runtime = "${name}"
runtime_supports_json = ["crun", "runc", "${name}"]
runtime_supports_nocgroup = ["crun", "krun", "${name}"]
[engine.runtimes]
${name} = [${path}]`,
    },
    command('podman', `podman --runtime=${file} run IMAGE`),
  ];
}
