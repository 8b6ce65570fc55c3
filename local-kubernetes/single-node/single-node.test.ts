import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { addonManifests, fillIn } from './addons.ts'
import { cgroupHierarchies } from './cgroups.ts'
import { cniConfig, configurationFiles } from './configuration.ts'
import { reachableNameServers } from './host.ts'
import { mountsUnder } from './leftovers.ts'
import { isDataUnreadable } from './single-node-cluster.ts'

test('only our own mounts are taken away, innermost first', () => {
  const mountInfo = [
    '21 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '30 21 0:30 / /run/ours rw - tmpfs tmpfs rw',
    '31 30 0:31 / /run/ours/pods/a rw shared:1 - overlay overlay rw',
    '32 31 0:32 / /run/ours/pods/a/a\\040b rw - tmpfs tmpfs rw',
    '33 21 0:33 / /run/ours-not/x rw - tmpfs tmpfs rw',
    '34 21 0:34 / /data/volumes/v rw - tmpfs tmpfs rw',
    '',
  ].join('\n')
  expect(mountsUnder(mountInfo, ['/run/ours', '/data'])).toEqual([
    '/data/volumes/v',
    '/run/ours/pods/a/a b',
    '/run/ours/pods/a',
  ])
})

test.each([
  { text: 'nameserver 127.0.0.53\noptions edns0\n', servers: [] },
  {
    text: 'search example.com\nnameserver 10.0.0.2\n  nameserver\t192.0.2.1\n',
    servers: ['10.0.0.2', '192.0.2.1'],
  },
  { text: '# nameserver 10.0.0.9\nnameserver ::1\nnameserver fe80::1%eth0\n', servers: [] },
])('pods are only given name servers that they can reach: $text', ({ text, servers }) => {
  expect(reachableNameServers(text)).toEqual(servers)
})

test.each([
  { why: 'panic: cannot use none as id', component: 'etcd', unreadable: true },
  { why: 'listen tcp 127.0.0.1:2379: bind: address already in use', component: 'etcd', unreadable: false },
  { why: 'write wal: no space left on device', component: 'etcd', unreadable: false },
  { why: 'panic: anything', component: 'kube-apiserver', unreadable: false },
])(
  'data are only given up when it is they that are broken: $component, $why',
  ({ why, component, unreadable }) => {
    expect(isDataUnreadable({ component, logTail: why })).toBe(unreadable)
  },
)

test('a template with a gap is not applied', () => {
  expect(fillIn('image: ${image} # $HOME', { image: 'a:1' })).toBe('image: a:1 # $HOME')
  expect(() => fillIn('${image}', {})).toThrow('no value for image')
})

test('the manifests are whole objects, and other name servers are other pods', async () => {
  const manifests = await addonManifests(['10.0.0.2'])
  const documents = parseAllDocuments(manifests)
  for (const document of documents) {
    expect(document.errors).toEqual([])
    expect(document.toJS()).toMatchObject({
      kind: expect.any(String),
      metadata: { name: expect.any(String) },
    })
  }
  expect(manifests).toContain('forward . /etc/resolv.conf')
  const alone = await addonManifests([])
  expect(alone).not.toContain('forward .')
  const configurationOf = (text: string) =>
    parseAllDocuments(text)
      .map((document) => document.toJS().spec?.template?.metadata.annotations['holdfast.dev/configuration'])
      .filter((configuration) => configuration !== undefined)
  expect(configurationOf(alone)).toHaveLength(2)
  expect(configurationOf(alone)).not.toEqual(configurationOf(manifests))
})

test.each([
  {
    name: 'version 2 alone, whose groups are folders beside ours',
    lines: ['25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate'],
    found: [{ folder: '/sys/fs/cgroup', version: 2 }],
  },
  {
    name: 'both versions, below a plain folder',
    lines: [
      '25 20 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
      '26 25 0:23 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
      '27 25 0:24 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
    ],
    found: [
      { folder: '/sys/fs/cgroup/cpu', version: 1 },
      { folder: '/sys/fs/cgroup/unified', version: 2 },
    ],
  },
])('our cgroup is made once in each hierarchy and nowhere else: $name', ({ lines, found }) => {
  expect(cgroupHierarchies([...lines, ''].join('\n'))).toEqual(found)
})

test('every packet between pods is routed, so that policies can be enforced, and no image is ever collected', () => {
  const files = configurationFiles('/usr/lib/cni')
  expect(parse(files['kubelet.yaml']!)).toMatchObject({
    imageGCHighThresholdPercent: 100,
    authentication: { anonymous: { enabled: false } },
  })
  expect(JSON.parse(cniConfig).plugins[0].type).toBe('ptp')
})

test('the audit log holds the writes of everybody but Kubernetes itself', () => {
  const policy = parse(configurationFiles('')['audit-policy.yaml']!)
  expect(policy.rules.at(-1)).toEqual({ level: 'Metadata' })
  expect(policy.rules[0]).toEqual({ level: 'None', verbs: ['get', 'list', 'watch'] })
  expect(policy.omitStages).toContain('RequestReceived')
})
