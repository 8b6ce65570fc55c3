import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nftables } from '../../local-kubernetes/network-policy/firewall.ts'
import { paths } from '../../local-kubernetes/single-node/layout.ts'
import { writePlugin } from '../../scripts/plugin.ts'
import { eventually, testCluster, type TestCluster } from '../support/kubernetes.ts'
import { undisturbed } from '../support/stalls.ts'

// With a network that enforces policies every organization is proved to be isolated; with the enforcer off `NetworkIsolated` turns
// False and names the open paths, and with it on again it is True. `kubectl holdfast prove` shows each path, and its exit code says
// whether one is open.

let cluster: TestCluster
let plugins: string

beforeAll(async () => {
  cluster = await testCluster()
  plugins = await mkdtemp(join(tmpdir(), 'holdfast-plugin-'))
  await writePlugin(plugins)
})
afterAll(() => rm(plugins, { recursive: true, force: true }))

interface Condition {
  readonly type: string
  readonly status: string
  readonly message: string
}

async function condition(type: string): Promise<Condition> {
  const { status } = await cluster.get('organization', 'marketing', '--namespace', 'marketing')
  const found = (status['conditions'] as readonly Condition[]).find((one) => one.type === type)
  if (!found) throw new Error(`no condition ${type}`)
  return found
}

const becomes = (type: string, status: string, timeoutMs: number) =>
  eventually(`${type} is ${status}`, timeoutMs, async () => {
    const found = await condition(type)
    if (found.status !== status) throw new Error(JSON.stringify(found))
    return found
  })

/** As a person of the platform team calls it. */
function prove(): Promise<{ readonly code: number | null; readonly output: string }> {
  const { kubectl, kubeconfig } = cluster.cluster
  const path = [plugins, dirname(kubectl), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const child = spawn(kubectl, ['holdfast', 'prove', 'marketing', '--namespace', 'marketing'], {
    env: { ...process.env, PATH: path, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      console.log(output)
      resolve({ code, output })
    })
  })
}

test('every closed path is shown beside a control that was reached, and leaves nothing in status', async () => {
  await becomes('NetworkIsolated', 'True', 120_000)
  await undisturbed(async () => {
    const { code, output } = await prove()
    const rows = output
      .split('\n')
      .slice(2)
      .filter((line) => line !== '')
    expect(rows.length).toBeGreaterThanOrEqual(6)
    for (const row of rows) expect(row).toMatch(/ {2}reached {2,}closed$/)
    for (const target of ['isolation probe', 'name server', 'port 8086', 'port 8087'])
      expect(output).toContain(target)
    expect(code).toBe(0)
  })
  await eventually('the answer is gone', 60_000, async () => {
    const { status } = await cluster.get('organization', 'marketing', '--namespace', 'marketing')
    return status['isolationProof'] === undefined
  })
})

describe('with the enforcer of policies switched off', () => {
  /** What `make up` started, on this machine. */
  const enforcer = async (): Promise<number> => {
    const { identity } = JSON.parse(await readFile(join(paths.pid, 'network-policy'), 'utf8')) as {
      identity: string
    }
    return Number(identity.split(' ', 1)[0])
  }

  test('NetworkIsolated is False and names the open paths; switched on again, it is True', async ({
    skip,
  }) => {
    if (cluster.cluster.kind !== 'local')
      skip('only the local cluster has an enforcer that can be switched off')
    const pid = await enforcer()
    // It would put its rules back within seconds.
    process.kill(pid, 'SIGSTOP')
    try {
      await nftables.remove()
      const { code, output } = await prove()
      expect(code).toBe(1)
      expect(output).toMatch(/storage-node-0 +isolation probe +reached +open/)
      expect(output).toMatch(/isolation probe +storage-node-0 port 8087 +reached +open/)
      const isolated = await becomes('NetworkIsolated', 'False', 60_000)
      expect(isolated.message).toContain('from storage-node-0 to isolation probe')
      const ready = await condition('Ready')
      expect(ready).toMatchObject({ status: 'False', reason: 'NetworkNotIsolated' })
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await eventually('the rules are back', 60_000, () => nftables.present())
    await becomes('NetworkIsolated', 'True', 120_000)
    await becomes('Ready', 'True', 60_000)
    await undisturbed(async () => expect((await prove()).code).toBe(0))
  })
})
