import { stringify } from 'yaml'
import {
  CGROUP,
  CLUSTER_DOMAIN,
  CNI_NETWORK,
  DNS_ADDRESS,
  NODE_ADDRESS,
  NODE_POD_CIDR,
  paths,
} from './layout.ts'

/** Image of the process that holds a pod's namespaces. */
export const PAUSE_IMAGE = 'localhost/pause:1'

/** The configuration files of the programs, by file name; pure, so that a change of them is a change of the process. */
export function configurationFiles(cniPlugins: string): Readonly<Record<string, string>> {
  return {
    'containerd.toml': containerdConfig(cniPlugins),
    'kubelet.yaml': stringify(kubeletConfig),
    'audit-policy.yaml': stringify(auditPolicy),
    'proxy.yaml': stringify(proxyConfig),
  }
}

/**
 * `restrict_oom_score_adj`: some virtual machines forbid lowering the score, and runc would fail to start anything.
 * Snapshotters and folders that are not used are switched off, so that nothing is made outside of our folders.
 */
function containerdConfig(cniPlugins: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  return `version = 2
root = "${paths.containerdRoot}"
state = "${paths.containerdState}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "${paths.containerdSocket}"
[ttrpc]
  address = "${paths.containerdSocket}.ttrpc"
[${cri}]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [${cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [${cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [${cri}.containerd.runtimes.runc.options]
        Root = "${paths.runc}"
  [${cri}.cni]
    bin_dir = "${cniPlugins}"
    conf_dir = "${paths.cni}"
`
}

/**
 * Every pod has a link of its own to the host (`ptp`), so that each packet between pods is routed and passes the
 * forward hook, where network policies are enforced. Leaving the cluster, packets are masqueraded by our own table.
 */
export const cniConfig = JSON.stringify({
  cniVersion: '0.4.0',
  name: CNI_NETWORK,
  plugins: [
    {
      type: 'ptp',
      ipMasq: false,
      mtu: 1500,
      ipam: {
        type: 'host-local',
        dataDir: paths.addressLeases,
        ranges: [[{ subnet: NODE_POD_CIDR }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
})

/**
 * No registry can give an image back, so none is ever collected; and a disk that others fill is no reason to evict
 * before it is full.
 */
const kubeletConfig = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: NODE_ADDRESS,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: `${paths.pki}/ca.crt` },
  },
  authorization: { mode: 'Webhook' },
  tlsCertFile: `${paths.pki}/kubelet.crt`,
  tlsPrivateKeyFile: `${paths.pki}/kubelet.key`,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${CGROUP}`,
  failCgroupV1: false,
  failSwapOn: false,
  makeIPTablesUtilChains: false,
  clusterDNS: [DNS_ADDRESS],
  clusterDomain: CLUSTER_DOMAIN,
  resolvConf: paths.resolvConf,
  containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
  podLogsDir: paths.podLogs,
  volumePluginDir: paths.volumePlugins,
  serializeImagePulls: false,
  imageGCHighThresholdPercent: 100,
  evictionHard: {
    'memory.available': '100Mi',
    'nodefs.available': '1%',
    'nodefs.inodesFree': '1%',
    'imagefs.available': '1%',
  },
  // A container that ends is started again after 2 s at most, however often it ended before: tests kill storage nodes
  // many times in a row, and the usual wait grows to five minutes.
  featureGates: { KubeletCrashLoopBackOffMax: true },
  crashLoopBackOff: { maxContainerRestartPeriod: '2s' },
}

const proxyConfig = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  mode: 'nftables',
  clientConnection: { kubeconfig: `${paths.kubeconfig}/proxy` },
  // 0 leaves the machine's own limits of connection tracking as they are.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
}

/** Every write but those of Kubernetes itself, without bodies: tests count in it who wrote how often. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'ResponseStarted'],
  rules: [
    { level: 'None', verbs: ['get', 'list', 'watch'] },
    { level: 'None', nonResourceURLs: ['*'] },
    {
      level: 'None',
      userGroups: ['system:nodes', 'system:serviceaccounts:kube-system'],
    },
    {
      level: 'None',
      users: [
        'system:apiserver',
        'system:kube-controller-manager',
        'system:kube-scheduler',
        'system:kube-proxy',
        'holdfast:network-policy',
      ],
    },
    { level: 'Metadata' },
  ],
}
