import { join } from 'node:path'

/** Goes with the machine's next start: processes, sockets, configuration made anew by each `up`. */
export const RUN = '/run/holdfast-kubernetes'
/** Stays until `down`: etcd, images, volumes, keys. On a disk, where `/run` may be memory. */
export const DATA = '/var/lib/holdfast-kubernetes'

export const NODE_NAME = 'node1'
export const NODE_ADDRESS = '172.30.0.1'
/** Holds the node's address: one that stays the same whatever networks the machine is in. */
export const NODE_LINK = 'holdfast0'
export const POD_CIDR = '10.244.0.0/16'
export const NODE_POD_CIDR = '10.244.0.0/24'
export const SERVICE_CIDR = '10.96.0.0/16'
export const KUBERNETES_SERVICE_ADDRESS = '10.96.0.1'
export const DNS_ADDRESS = '10.96.0.10'
export const CLUSTER_DOMAIN = 'cluster.local'
export const CNI_NETWORK = 'holdfast-pods'
/** The kubelet makes its pods' cgroups below this one, so that they are told from any other on the machine. */
export const CGROUP = 'holdfast-kubernetes'
/** Ours alone, so that it goes without a trace of the machine's own rules. */
export const NFT_TABLES = [
  ['inet', 'holdfast_kubernetes'],
  ['inet', 'holdfast_network_policy'],
  ['inet', 'holdfast_cut'],
  ['ip', 'kube-proxy'],
  ['ip6', 'kube-proxy'],
] as const

export const paths = {
  bin: join(RUN, 'bin'),
  log: join(RUN, 'log'),
  pid: join(RUN, 'pid'),
  config: join(RUN, 'config'),
  kubeconfig: join(RUN, 'kubeconfig'),
  adminKubeconfig: join(RUN, 'kubeconfig/admin'),
  auditLog: join(RUN, 'log/audit.log'),
  bootId: join(RUN, 'boot-id'),
  networkPolicyReady: join(RUN, 'network-policy.ready'),
  containerdState: join(RUN, 'containerd'),
  containerdSocket: join(RUN, 'containerd.sock'),
  runc: join(RUN, 'runc'),
  cni: join(RUN, 'cni'),
  addressLeases: join(RUN, 'pod-addresses'),
  resolvConf: join(RUN, 'resolv.conf'),
  etcd: join(DATA, 'etcd'),
  containerdRoot: join(DATA, 'containerd'),
  kubelet: join(DATA, 'kubelet'),
  volumePlugins: join(DATA, 'volume-plugins'),
  podLogs: join(DATA, 'pod-logs'),
  volumes: join(DATA, 'volumes'),
  pki: join(DATA, 'pki'),
  hostBefore: join(DATA, 'host-before.json'),
} as const

/** The path of a program by the name that it is called with. */
export const program = (name: string) => join(paths.bin, name)
