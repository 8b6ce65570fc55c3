import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { onlyValue, runtimeNamespaceOf, tenantOf, type Tenant } from '../support/tenant.ts'
import { killStorageNode } from '../support/processes.ts'

// An acknowledged point survives kill -9 and is there once. The data path does not need the operator.

const kills = Number(process.env['HOLDFAST_KILLS'] ?? 20)
const writers = 8
const linesPerBatch = 200

let cluster: TestCluster
let engineering: Tenant
const measurement = `kill_${randomBytes(4).toString('hex')}`

beforeAll(async () => {
  cluster = await testCluster()
  engineering = await tenantOf(cluster, 'engineering', 'engineering-service-token')
})

afterAll(async () => {
  await cluster.kubectl([
    'scale',
    '--namespace',
    'holdfast-system',
    'deployment/holdfast-operator',
    '--replicas=1',
  ])
  await cluster.kubectl([
    'rollout',
    'status',
    '--namespace',
    'holdfast-system',
    'deployment/holdfast-operator',
    '--timeout=120s',
  ])
})

interface Writer {
  readonly name: number
  /** Sequence numbers up to here were acknowledged. */
  acknowledged: number
  /** Highest sequence number that was ever sent. */
  sent: number
}

/** Writes batch after batch, each point with its own time, and repeats a batch until it is acknowledged. */
async function writeUntil(writer: Writer, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    const lines = Array.from({ length: linesPerBatch }, (_, index) => {
      const sequence = writer.acknowledged + index
      return `${measurement},writer=w${writer.name} sequence=${sequence}i ${1_700_000_000_000_000_000n + BigInt(sequence) * 1_000_000n}`
    })
    writer.sent = Math.max(writer.sent, writer.acknowledged + linesPerBatch)
    const reply = await engineering
      .send('/api/v2/write', {
        query: { org: engineering.organizationId, bucket: 'performance_data' },
        body: lines.join('\n'),
      })
      .catch(() => null)
    if (reply?.status === 204) writer.acknowledged += linesPerBatch
    else {
      // Only a node that is not there may refuse: anything else would be a refusal of valid data.
      if (reply) expect([500, 502, 503, 504], reply.body).toContain(reply.status)
      await sleep(50)
    }
  }
}

/** Asks all the time: what was acknowledged before is there, what was never sent is not. @returns how many answers came */
async function queryUntil(state: readonly Writer[], stopped: () => boolean): Promise<number> {
  let answers = 0
  for (let turn = 0; !stopped(); turn++) {
    const writer = state[turn % state.length]!
    const before = writer.acknowledged
    const reply = await engineering
      .send('/query', {
        method: 'GET',
        query: {
          db: 'performance_data',
          q: `SELECT count(sequence) FROM ${measurement} WHERE writer = 'w${writer.name}'`,
        },
      })
      .catch(() => null)
    // A node that goes down while it answers may say so in an answer that had begun well.
    if (reply?.status === 200 && !reply.body.includes('"error"')) {
      const count = Number(onlyValue(reply) ?? 0)
      expect(count).toBeGreaterThanOrEqual(before)
      expect(count).toBeLessThanOrEqual(writer.sent)
      answers++
    } else {
      if (reply) expect([500, 502, 503, 504], reply.body).toContain(reply.status)
      await sleep(50)
    }
  }
  return answers
}

const query = async (text: string): Promise<unknown> => {
  const reply = await engineering.send('/query', {
    method: 'GET',
    query: { db: 'performance_data', epoch: 'ns', q: text },
  })
  expect(reply.status, reply.body).toBe(200)
  return onlyValue(reply)
}

test(
  `kill -9 of the storage node under write load, ${kills} times: no acknowledged point lost, none doubled`,
  async () => {
    const state = Array.from({ length: writers }, (_, name): Writer => ({ name, acknowledged: 0, sent: 0 }))
    let stop = false
    const writing = Promise.all(state.map((writer) => writeUntil(writer, () => stop)))
    const querying = queryUntil(state, () => stop)
    const running = Promise.all([writing, querying])
    let killed = 0
    try {
      for (; killed < kills; killed++) {
        const before = state.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
        await eventually(
          'writes are acknowledged',
          90_000,
          async () =>
            // Each writer may still be told of one batch that the node before has stored.
            state.reduce((sum, { acknowledged }) => sum + acknowledged, 0) > before + writers * linesPerBatch,
        )
        await killStorageNode(cluster, runtimeNamespaceOf(engineering))
      }
      await eventually(
        'the node is back',
        90_000,
        async () => (await query(`SELECT count(sequence) FROM ${measurement}`)) !== undefined,
      )
    } finally {
      stop = true
      await running
    }
    expect(killed).toBe(kills)
    for (const writer of state) {
      const where = `FROM ${measurement} WHERE writer = 'w${writer.name}'`
      const count = Number(await query(`SELECT count(sequence) ${where}`))
      const last = Number(await query(`SELECT max(sequence) ${where}`))
      const sum = Number(await query(`SELECT sum(sequence) ${where}`))
      // Every sequence number from 0 to the last one, once each: a lost or a doubled point breaks the count or the sum.
      expect(count).toBeGreaterThanOrEqual(writer.acknowledged)
      expect(count).toBeLessThanOrEqual(writer.sent)
      expect(last).toBe(count - 1)
      expect(sum).toBe((count * (count - 1)) / 2)
    }
    console.log(
      `${kills} kills, ${state.reduce((total, { acknowledged }) => total + acknowledged, 0)} acknowledged points, all there once, ` +
        `and ${await querying} answers beside`,
    )
  },
  Math.max(600_000, kills * 30_000),
)

test('with the operator down, writes and queries go on, also after the node restarts', async () => {
  await cluster.kubectl([
    'scale',
    '--namespace',
    'holdfast-system',
    'deployment/holdfast-operator',
    '--replicas=0',
  ])
  await eventually('the operator is gone', 120_000, async () => {
    const pods = await cluster.get(
      'pods',
      '--namespace',
      'holdfast-system',
      '--selector',
      'app.kubernetes.io/component=operator',
    )
    return pods.items.length === 0
  })
  const write = (line: string) =>
    engineering.send('/api/v2/write', {
      query: { org: engineering.organization, bucket: 'performance_data' },
      body: line,
    })
  expect((await write(`${measurement}_down value=1i 1000000000`)).status).toBe(204)
  await killStorageNode(cluster, runtimeNamespaceOf(engineering))
  await eventually(
    'the node serves its own copy of the state',
    120_000,
    async () => (await write(`${measurement}_down value=2i 2000000000`)).status === 204,
  )
  expect(await query(`SELECT sum(value) FROM ${measurement}_down`)).toBe(3)
})
