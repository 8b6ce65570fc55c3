import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeImageArchive } from '../../local-kubernetes/image-archive.ts'
import { run } from '../../scripts/run.ts'
import { ensureTelegraf } from '../../scripts/telegraf.ts'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { tenantOf, type Tenant } from '../support/tenant.ts'

// A real Telegraf agent, configured by nothing but the Token's Secret, sends this machine's own metrics through the gateway
// for a minute; InfluxQL gives back exactly what it sent, which a file output of the same agent recorded beside it.

let cluster: TestCluster
let tenant: Tenant
let folder: string
const pod = 'telegraf'
const database = 'telegraf'
const collectMs = Number(process.env['HOLDFAST_TELEGRAF_MS'] ?? 60_000)

const configuration = `
[agent]
  interval = "5s"
  flush_interval = "5s"
  round_interval = true
  omit_hostname = false
  hostname = "e2e"
[[inputs.cpu]]
  percpu = true
  totalcpu = true
[[inputs.mem]]
[[inputs.disk]]
  ignore_fs = ["tmpfs", "devtmpfs", "overlay", "squashfs"]
[[inputs.net]]
  ignore_protocol_stats = true
[[inputs.system]]
[[outputs.influxdb_v2]]
  urls = ["\${INFLUX_HOST}"]
  token = "\${INFLUX_TOKEN}"
  organization = "\${INFLUX_ORG}"
  bucket = "${database}"
  tls_ca = "/etc/holdfast/ca.crt"
[[outputs.file]]
  files = ["/record/sent.lp"]
  data_format = "influx"
`

beforeAll(async () => {
  cluster = await testCluster()
  tenant = await tenantOf(cluster, 'marketing', 'marketing-api-token')
  folder = await mkdtemp(join(tmpdir(), 'holdfast-telegraf-'))
  await run('chmod', ['0777', folder])
  const rootFolder = join(folder, 'root')
  await run('install', ['-D', '-m', '0755', await ensureTelegraf(), join(rootFolder, 'telegraf')])
  const output = join(folder, 'telegraf.tar')
  await writeImageArchive({
    name: 'localhost/telegraf:1.37.2',
    rootFolder,
    entrypoint: ['/telegraf'],
    output,
  })
  await cluster.cluster.loadImages([output])
  await cluster.apply(`
apiVersion: holdfast.dev/v1alpha1
kind: Database
metadata: { name: ${database}, namespace: marketing }
spec: { organization: marketing, deletionPolicy: Delete }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: ${pod}, namespace: marketing }
data: { telegraf.conf: ${JSON.stringify(configuration)} }
`)
  await cluster.kubectl([
    'wait',
    '--namespace',
    'marketing',
    '--for=condition=Ready',
    `hdb/${database}`,
    '--timeout=60s',
  ])
}, 600_000)

afterAll(async () => {
  await cluster.kubectl([
    'delete',
    'pod,configmap,hdb',
    pod,
    '--namespace',
    'marketing',
    '--ignore-not-found',
    '--timeout=60s',
  ])
  await rm(folder, { recursive: true, force: true })
})

/** As a DaemonSet of agents does it: in the machine's own network, so that the interfaces it counts are the machine's. */
const podObject = () => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: pod, namespace: 'marketing' },
  spec: {
    hostNetwork: true,
    dnsPolicy: 'ClusterFirstWithHostNet',
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 20,
    containers: [
      {
        name: 'telegraf',
        image: 'localhost/telegraf:1.37.2',
        args: ['--config', '/etc/telegraf/telegraf.conf'],
        envFrom: [{ secretRef: { name: 'marketing-api-token' } }],
        volumeMounts: [
          { name: 'configuration', mountPath: '/etc/telegraf' },
          { name: 'authority', mountPath: '/etc/holdfast' },
          { name: 'record', mountPath: '/record' },
        ],
      },
    ],
    volumes: [
      { name: 'configuration', configMap: { name: pod } },
      {
        name: 'authority',
        secret: { secretName: 'marketing-api-token', items: [{ key: 'ca.crt', path: 'ca.crt' }] },
      },
      { name: 'record', hostPath: { path: folder, type: 'Directory' } },
    ],
  },
})

interface Point {
  readonly series: string
  readonly time: bigint
  readonly fields: ReadonlyMap<string, string>
}

/** The agent's own record: line protocol with escaped spaces in series keys and quoted string fields. */
function parseRecord(text: string): readonly Point[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const match = /^((?:\\.|[^ \\])+) (.+) (\d+)$/.exec(line)
      if (!match) throw new Error(`unexpected line in the agent's record: ${line}`)
      const fields = [...match[2]!.matchAll(/([^=,]+)=("(?:[^"\\]|\\.)*"|[^,]*)/g)]
      return {
        series: match[1]!,
        time: BigInt(match[3]!),
        fields: new Map(fields.map(([, name, value]) => [name!, value!])),
      }
    })
}

/** measurement -> field -> {count, last value of each series at the last time}. */
function summarize(
  points: readonly Point[],
): Map<string, Map<string, { count: number; last: Map<string, { time: bigint; value: string }> }>> {
  const summary: ReturnType<typeof summarize> = new Map()
  for (const { series, time, fields } of points) {
    const measurement = series.split(',')[0]!
    const ofMeasurement = summary.get(measurement) ?? new Map()
    summary.set(measurement, ofMeasurement)
    for (const [field, value] of fields) {
      const entry = ofMeasurement.get(field) ?? { count: 0, last: new Map() }
      ofMeasurement.set(field, entry)
      entry.count++
      const last = entry.last.get(series)
      if (!last || time >= last.time) entry.last.set(series, { time, value })
    }
  }
  return summary
}

interface Series {
  readonly name: string
  readonly tags?: Readonly<Record<string, string>>
  readonly columns: readonly string[]
  readonly values: readonly (readonly unknown[])[]
}

async function query(text: string): Promise<readonly Series[]> {
  const reply = await tenant.send('/query', { method: 'GET', query: { db: database, epoch: 'ns', q: text } })
  expect(reply.status, reply.body).toBe(200)
  // Whole numbers beyond 2^53 must not be rounded on the way into the comparison.
  const exact = reply.body.replaceAll(/([[,:])(-?\d{16,})(?=[,\]}])/g, '$1"$2"')
  const answer = JSON.parse(exact) as { results: { series?: Series[]; error?: string }[] }
  expect(answer.results[0]?.error).toBeUndefined()
  return answer.results[0]?.series ?? []
}

/** A field of line protocol as the value that JSON carries it as. */
function valueOf(text: string): unknown {
  if (/^-?\d+[iu]$/.test(text)) return text.length > 16 ? text.slice(0, -1) : Number(text.slice(0, -1))
  if (text.startsWith('"')) return text.slice(1, -1)
  if (text === 'true' || text === 'false') return text === 'true'
  return Number(text)
}

const seriesKey = (name: string, tags: Readonly<Record<string, string>> | undefined): string =>
  [
    name,
    ...Object.entries(tags ?? {})
      .filter(([, value]) => value !== '')
      .map(([key, value]) => `${key}=${value.replaceAll(/([ ,=])/g, '\\$1')}`)
      .toSorted(),
  ].join(',')

test(
  `what Telegraf sent for ${collectMs / 1000} s is exactly what InfluxQL gives back`,
  async () => {
    await cluster.apply(JSON.stringify(podObject()))
    await cluster.kubectl([
      'wait',
      '--namespace',
      'marketing',
      `pod/${pod}`,
      '--for=condition=Ready',
      '--timeout=90s',
    ])
    await sleep(collectMs)
    await cluster.kubectl(['delete', 'pod', pod, '--namespace', 'marketing', '--wait=true', '--timeout=60s'])

    const sent = summarize(parseRecord(await readFile(join(folder, 'sent.lp'), 'utf8')))
    expect([...sent.keys()].toSorted()).toEqual(['cpu', 'disk', 'mem', 'net', 'system'])
    let compared = 0
    for (const [measurement, fields] of sent) {
      const counts = await eventually(`all points of ${measurement}`, 60_000, async () => {
        const [series] = await query(`SELECT count(*) FROM "${measurement}"`)
        return series
      })
      const countOf = new Map(counts.columns.map((column, index) => [column, counts.values[0]![index]]))
      for (const [field, { count, last }] of fields) {
        expect(Number(countOf.get(`count_${field}`)), `count of ${measurement}.${field}`).toBe(count)
        const answered = new Map(
          (await query(`SELECT last("${field}") FROM "${measurement}" GROUP BY *`)).map(
            ({ name, tags, values }) => [
              seriesKey(name, tags),
              { time: String(values[0]![0]), value: values[0]![1] },
            ],
          ),
        )
        const recorded = new Map(
          [...last].map(([series, { time, value }]) => [
            series,
            { time: String(time), value: valueOf(value) },
          ]),
        )
        expect(answered, `last values of ${measurement}.${field}`).toEqual(recorded)
        compared += recorded.size
      }
    }
    const points = [...sent.values()]
      .flatMap((fields) => [...fields.values()].map(({ count }) => count))
      .reduce((a, b) => a + b, 0)
    const series = new Set(
      [...sent.values()].flatMap((fields) => [...fields.values()].flatMap(({ last }) => [...last.keys()])),
    )
    expect(series.size).toBeGreaterThan(4)
    console.log(
      `${points} values of ${series.size} series sent; all counts equal, ${compared} last values equal`,
    )
  },
  collectMs + 240_000,
)
