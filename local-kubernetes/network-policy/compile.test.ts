import { describe, expect, test } from 'vitest'
import { compile } from './compile.ts'
import type { NetworkPolicy, Pod, PolicyPort, World } from './resources.ts'

const pod = (namespace: string, name: string, podIP: string, httpPort = 8080): Pod => ({
  metadata: { namespace, name, labels: { app: name } },
  spec: { containers: [{ ports: [{ name: 'http', containerPort: httpPort }] }] },
  status: { phase: 'Running', podIP },
})
const policy = (name: string, spec: NetworkPolicy['spec']): NetworkPolicy => ({
  metadata: { namespace: 'shop', name },
  spec,
})
const world = (...policies: NetworkPolicy[]): World => ({
  policies,
  namespaces: [{ metadata: { name: 'shop' } }],
  pods: [
    pod('shop', 'web', '10.244.0.2'),
    pod('shop', 'db', '10.244.0.3', 9090),
    pod('free', 'x', '10.244.0.4'),
  ],
})
const chains = (text: string) => text.slice(text.indexOf('  # '), text.indexOf('  chain forward'))

describe('the ruleset says the same as the policies', () => {
  test('nothing known: every address of the pod range is closed, nothing else is touched', () => {
    expect(compile({ policies: [], namespaces: [], pods: [] })).toBe(`table inet holdfast_network_policy
delete table inet holdfast_network_policy
table inet holdfast_network_policy {
  set pods { type ipv4_addr; }
  set itself { type ipv4_addr . ipv4_addr; }
  map egress { type ipv4_addr : verdict; }
  map ingress { type ipv4_addr : verdict; }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "veth*" fib saddr . iif oif missing drop
    ip saddr 10.244.0.0/16 ip saddr != @pods drop
    ip daddr 10.244.0.0/16 ip daddr != @pods drop
    ip saddr 10.244.0.0/16 ct state invalid,untracked drop
    ip daddr 10.244.0.0/16 ct state invalid,untracked drop
    ct state related meta l4proto icmp accept
    ct original ip saddr . ct reply ip saddr @itself accept
    ct original ip saddr vmap @egress
    ct reply ip saddr vmap @ingress
  }
}
`)
  })

  test('default deny both ways: only the isolated pods are in the maps, and their chains only drop', () => {
    const text = compile(world(policy('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })))
    expect(text).toContain('set pods { type ipv4_addr; elements = { 10.244.0.2, 10.244.0.3, 10.244.0.4 }; }')
    expect(text).toContain(
      'map egress { type ipv4_addr : verdict; elements = { 10.244.0.2 : jump egress_0, 10.244.0.3 : jump egress_0 }; }',
    )
    expect(text).toContain(
      'map ingress { type ipv4_addr : verdict; elements = { 10.244.0.2 : jump ingress_1, 10.244.0.3 : jump ingress_1 }; }',
    )
    expect(text).toContain('elements = { 10.244.0.2 . 10.244.0.2, 10.244.0.3 . 10.244.0.3 }')
    expect(chains(text)).toBe(`  # shop: deny
  chain egress_0 {
    drop
  }
  # shop: deny
  chain ingress_1 {
    drop
  }
`)
  })

  test('peers and ports: matched on the way there and on the way back', () => {
    const text = compile(
      world(
        policy('web', {
          podSelector: { matchLabels: { app: 'web' } },
          ingress: [
            {
              from: [{ ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.4/30'] } }],
              ports: [{ port: 80 }],
            },
            { from: [{ podSelector: { matchLabels: { app: 'db' } } }] },
          ],
        }),
      ),
    )
    expect(chains(text)).toBe(`  # shop: web
  chain ingress_0 {
    ct original ip saddr { 192.0.2.0-192.0.2.3, 192.0.2.8-192.0.2.255 } ct direction original meta l4proto . th dport { tcp . 80 } return
    ct original ip saddr { 192.0.2.0-192.0.2.3, 192.0.2.8-192.0.2.255 } ct direction reply meta l4proto . th sport { tcp . 80 } return
    ct original ip saddr { 10.244.0.3 } return
    drop
  }
`)
  })

  test('a named port is the number that each destination gives it', () => {
    const http: readonly PolicyPort[] = [{ port: 'http' }]
    const text = compile(
      world(
        policy('in', { podSelector: {}, ingress: [{ ports: http }] }),
        policy('out', {
          podSelector: { matchLabels: { app: 'web' } },
          policyTypes: ['Egress'],
          egress: [{ to: [{ podSelector: { matchLabels: { app: 'db' } } }], ports: http }],
        }),
      ),
    )
    const both = '10.244.0.2 . tcp . 8080, 10.244.0.3 . tcp . 9090'
    expect(chains(text)).toBe(`  # shop: out
  chain egress_0 {
    ct reply ip saddr { 10.244.0.3 } ct direction original ct reply ip saddr . meta l4proto . th dport { 10.244.0.3 . tcp . 9090 } return
    ct reply ip saddr { 10.244.0.3 } ct direction reply ct reply ip saddr . meta l4proto . th sport { 10.244.0.3 . tcp . 9090 } return
    drop
  }
  # shop: in
  chain ingress_1 {
    ct direction original ct reply ip saddr . meta l4proto . th dport { ${both} } return
    ct direction reply ct reply ip saddr . meta l4proto . th sport { ${both} } return
    drop
  }
`)
  })

  test.each<[string, readonly PolicyPort[], string | null]>([
    ['a number is TCP', [{ port: 80 }], 'tcp . 80'],
    [
      'UDP and SCTP',
      [
        { protocol: 'UDP', port: 53 },
        { protocol: 'SCTP', port: 7 },
      ],
      'udp . 53, sctp . 7',
    ],
    ['a whole protocol', [{ protocol: 'UDP' }], 'udp . 0-65535'],
    ['a range', [{ port: 8000, endPort: 8010 }], 'tcp . 8000-8010'],
    ['ranges that overlap', [{ port: 80 }, { port: 70, endPort: 90 }, { port: 91 }], 'tcp . 70-91'],
    ['equal numbers of two protocols', [{ port: 53 }, { port: 53, protocol: 'UDP' }], 'tcp . 53, udp . 53'],
    ['a name that no pod has', [{ port: 'nothing' }], null],
    ['a name that pods have for another protocol', [{ port: 'http', protocol: 'UDP' }], null],
  ])('ports: %s', (_name, ports, expected) => {
    const text = compile(world(policy('p', { podSelector: {}, ingress: [{ ports }] })))
    const body =
      expected === null
        ? ''
        : [
            `    ct direction original meta l4proto . th dport { ${expected} } return\n`,
            `    ct direction reply meta l4proto . th sport { ${expected} } return\n`,
          ].join('')
    expect(chains(text)).toBe(`  # shop: p\n  chain ingress_0 {\n${body}    drop\n  }\n`)
  })

  test('a rule whose peers are nobody opens nothing', () => {
    const nobody = { podSelector: { matchLabels: { app: 'none' } } }
    const text = compile(world(policy('p', { podSelector: {}, ingress: [{ from: [nobody] }] })))
    expect(chains(text)).toBe('  # shop: p\n  chain ingress_0 {\n    drop\n  }\n')
  })

  test('the order in which the API server lists things changes nothing', () => {
    const one = world(
      policy('a', { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }),
      policy('b', { podSelector: {}, egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }] }),
    )
    const other = {
      policies: one.policies.toReversed(),
      namespaces: one.namespaces.toReversed(),
      pods: one.pods.toReversed(),
    }
    expect(compile(other)).toBe(compile(one))
  })
})
