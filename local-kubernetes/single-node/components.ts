import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../scripts/run.ts'
import { CLUSTER_DOMAIN, NODE_ADDRESS, NODE_NAME, paths, POD_CIDR, program, SERVICE_CIDR } from './layout.ts'
import { get, type ClientIdentity } from './probe.ts'
import type { ComponentSpec } from './process.ts'

/** Where the programs come from. */
export interface Binaries {
  readonly kube: string
  readonly containerd: string
}

export const API_SERVER = `https://${NODE_ADDRESS}:6443`
const ETCD = 'http://127.0.0.1:2379'
const ETCD_PEER = 'http://127.0.0.1:2380'
const NETWORK_POLICY = join(import.meta.dirname, '../network-policy')
/** The host's processes in the order of their start: those of one stage may start at the same time. */
export interface Stages {
  readonly stores: readonly ComponentSpec[]
  readonly api: readonly ComponentSpec[]
  readonly others: readonly ComponentSpec[]
}

/** @param files the configuration files by name, as they lie in `paths.config` */
export async function components(
  binaries: Binaries,
  files: Readonly<Record<string, string>>,
  identity: ClientIdentity,
): Promise<Stages> {
  const ca = { ca: identity.ca, cert: identity.cert, key: identity.key }
  // The authority is part of what every program depends on: with another one, all of them start anew.
  const inputs = (...names: readonly string[]) => [identity.ca, ...names.map((name) => files[name] ?? '')]
  const kube = (
    name: string,
    args: readonly string[],
    health: string,
    more: Partial<ComponentSpec> = {},
  ): ComponentSpec => ({
    name,
    binary: binaries.kube,
    args,
    inputs: inputs(),
    probe: async () => void (await get(health, ca)),
    startTimeoutMs: 60_000,
    ...more,
  })
  const containerd: ComponentSpec = {
    name: 'containerd',
    binary: binaries.containerd,
    args: ['--config', join(paths.config, 'containerd.toml')],
    inputs: inputs('containerd.toml'),
    probe: async () =>
      void (await run('ctr', ['--address', paths.containerdSocket, 'version'], { timeoutMs: 2_000 })),
    startTimeoutMs: 60_000,
  }
  return {
    stores: [kube('etcd', etcdArguments, `${ETCD}/health`), containerd],
    api: [
      kube('kube-apiserver', apiServerArguments, `${API_SERVER}/readyz`, {
        inputs: inputs('audit-policy.yaml'),
      }),
    ],
    others: [
      kube('kube-controller-manager', controllerManagerArguments, 'https://127.0.0.1:10257/healthz'),
      kube('kube-scheduler', schedulerArguments, 'https://127.0.0.1:10259/healthz'),
      kube('kubelet', kubeletArguments, 'http://127.0.0.1:10248/healthz', { inputs: inputs('kubelet.yaml') }),
      kube('kube-proxy', proxyArguments, 'http://127.0.0.1:10256/livez', { inputs: inputs('proxy.yaml') }),
      ...(await networkPolicy(inputs())),
    ],
  }
}

const etcdArguments = flags({
  name: NODE_NAME,
  'data-dir': paths.etcd,
  'listen-client-urls': ETCD,
  'advertise-client-urls': ETCD,
  'listen-peer-urls': ETCD_PEER,
  'initial-advertise-peer-urls': ETCD_PEER,
  'initial-cluster': `${NODE_NAME}=${ETCD_PEER}`,
  'auto-compaction-mode': 'periodic',
  'auto-compaction-retention': '1h',
})

const apiServerArguments = flags({
  'etcd-servers': ETCD,
  'bind-address': NODE_ADDRESS,
  'advertise-address': NODE_ADDRESS,
  'secure-port': '6443',
  'client-ca-file': pki('ca.crt'),
  'tls-cert-file': pki('apiserver.crt'),
  'tls-private-key-file': pki('apiserver.key'),
  'kubelet-certificate-authority': pki('ca.crt'),
  'kubelet-client-certificate': pki('apiserver-kubelet.crt'),
  'kubelet-client-key': pki('apiserver-kubelet.key'),
  // The node's name is in no DNS: `kubectl exec` and `logs` reach the kubelet by its address.
  'kubelet-preferred-address-types': 'InternalIP',
  'service-account-issuer': `https://kubernetes.default.svc.${CLUSTER_DOMAIN}`,
  'service-account-key-file': pki('service-account.pub'),
  'service-account-signing-key-file': pki('service-account.key'),
  'service-cluster-ip-range': SERVICE_CIDR,
  'authorization-mode': 'Node,RBAC',
  'enable-admission-plugins': 'NodeRestriction',
  'allow-privileged': 'true',
  'audit-policy-file': join(paths.config, 'audit-policy.yaml'),
  'audit-log-path': paths.auditLog,
  'audit-log-maxsize': '64',
  'audit-log-maxbackup': '2',
})

/** One of each runs, so nobody has to be elected; and their health is asked for over TLS that can be checked. */
const aloneArguments = (user: string) =>
  flags({
    kubeconfig: join(paths.kubeconfig, user),
    'authentication-kubeconfig': join(paths.kubeconfig, user),
    'authorization-kubeconfig': join(paths.kubeconfig, user),
    'leader-elect': 'false',
    'bind-address': '127.0.0.1',
    'tls-cert-file': pki('local.crt'),
    'tls-private-key-file': pki('local.key'),
  })

const schedulerArguments = aloneArguments('scheduler')

const controllerManagerArguments = [
  ...aloneArguments('controller-manager'),
  ...flags({
    'service-account-private-key-file': pki('service-account.key'),
    'root-ca-file': pki('ca.crt'),
    'cluster-signing-cert-file': pki('ca.crt'),
    'cluster-signing-key-file': pki('ca.key'),
    'use-service-account-credentials': 'true',
    'allocate-node-cidrs': 'true',
    'cluster-cidr': POD_CIDR,
    'flex-volume-plugin-dir': paths.volumePlugins,
  }),
]

const kubeletArguments = flags({
  config: join(paths.config, 'kubelet.yaml'),
  kubeconfig: join(paths.kubeconfig, 'kubelet'),
  'hostname-override': NODE_NAME,
  'node-ip': NODE_ADDRESS,
  'root-dir': paths.kubelet,
})

const proxyArguments = flags({ config: join(paths.config, 'proxy.yaml'), 'hostname-override': NODE_NAME })

function flags(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`)
}

function pki(file: string): string {
  return join(paths.pki, file)
}

/** The enforcer of network policies, from source as it is in the work tree: a change there is a restart. */
async function networkPolicy(inputs: readonly string[]): Promise<ComponentSpec[]> {
  const names = (await readdir(NETWORK_POLICY).catch(() => [])).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  )
  if (!names.includes('main.ts')) return []
  const sources = await Promise.all(names.sort().map((name) => readFile(join(NETWORK_POLICY, name), 'utf8')))
  return [
    {
      name: 'network-policy',
      binary: process.execPath,
      args: [
        join(NETWORK_POLICY, 'main.ts'),
        ...flags({
          kubeconfig: join(paths.kubeconfig, 'network-policy'),
          'ready-file': paths.networkPolicyReady,
        }),
      ],
      inputs: [...inputs, ...sources],
      probe: () => access(paths.networkPolicyReady),
      startTimeoutMs: 60_000,
    },
  ]
}

/** Where each component's program is called from, for those that are told by it. */
export const componentPrograms = [
  'etcd',
  'containerd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'network-policy',
].map(program)
