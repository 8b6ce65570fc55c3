import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { imageForm } from '../support/image-form.ts'
import { agentOf, host, send, TestInstallation, type Tenant } from '../support/installation.ts'
import { MemoryGroup, type MemoryUse } from '../support/memory-group.ts'
import { temporaryFolder } from './engine-support.ts'

/**
 * Promise: a tenant who does nothing costs the cluster no more memory than this. The node is as in its image, with the
 * chart's default limit, certificates and a state document, and is asked whether it is ready all the time.
 */
const workingSetBound = 40e6
/** About 25 MB are expected: the bound leaves room for what a busy machine keeps from being collected. */
const anonymousBound = 34e6
const limitBytes = 512 * 1_048_576
/** How long it may take until it is there, and how often in a row it must be seen there then. */
const patienceSeconds = 90
const wanted = 4

const group = await MemoryGroup.create('holdfast-idle', limitBytes)
const reason = typeof group === 'string' ? `: ${group}` : ''

async function isReady(installation: TestInstallation, tenant: Tenant): Promise<void> {
  const agent = agentOf(installation.operator.ca, null)
  const { status } = await send(agent, `https://${host}:${tenant.process.port}/ready`)
  await agent.close()
  expect(status).toBe(200)
}

describe.skipIf(typeof group === 'string')(`memory of an idle node${reason}`, () => {
  const measured = group as MemoryGroup
  afterAll(() => measured.remove())

  test('soon it is below the bound, and stays there', async () => {
    await using folder = await temporaryFolder()
    const form = await imageForm('storage-node', join(folder.path, 'app'))
    const installation = await TestInstallation.create()
    const seen: MemoryUse[] = []
    try {
      const tenant = await installation.startTenant('aaaaaaaaaaaaaaaa', {
        command: measured.within(form.command),
        environment: { ...form.environment, HOLDFAST_MEMORY_LIMIT_BYTES: String(limitBytes) },
      })
      for (let inRow = 0; inRow < wanted && seen.length < patienceSeconds;) {
        await sleep(1_000)
        await isReady(installation, tenant)
        const use = await measured.use()
        seen.push(use)
        inRow = use.workingSet < workingSetBound && use.anonymous < anonymousBound ? inRow + 1 : 0
      }
    } finally {
      await installation.stop()
    }
    const last = seen.slice(-wanted)
    expect(Math.max(...last.map(({ workingSet }) => workingSet))).toBeLessThan(workingSetBound)
    expect(Math.max(...last.map(({ anonymous }) => anonymous))).toBeLessThan(anonymousBound)
  })
})
