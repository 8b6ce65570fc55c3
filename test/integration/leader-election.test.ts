import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { leaseMs, renewDeadlineMs, retryMs } from '../../operator/controller/leader-election.ts'
import type { KubeClient } from '../../operator/kube/client.ts'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { runningMs } from '../support/stalls.ts'
import { createTestNamespace } from './test-namespace.ts'

/*
 * The promise: two real processes on a real API server never write at the same time, not even when the leader is
 * stopped in the middle of its writing, loses the lease meanwhile and goes on.
 */
const kubeconfig = process.env['KUBECONFIG']
const program = fileURLToPath(new URL('leader-process.ts', import.meta.url))

describe.skipIf(kubeconfig === undefined)('leader election (KUBECONFIG names the cluster)', () => {
  let client: KubeClient
  let namespace: KubeObject
  const children: ChildProcess[] = []

  beforeAll(async () => {
    client = openKubeClient({ kubeconfig: kubeconfig! })
    namespace = await createTestNamespace(client)
  })

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  afterAll(async () => {
    await client.delete(namespace)
    await client.close()
  })

  function start(identity: string) {
    const child = spawn(process.execPath, [program, namespace.metadata.name, identity], {
      env: { ...process.env, KUBECONFIG: kubeconfig },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    let said = ''
    child.stdout.on('data', (text: Buffer) => (said += text.toString()))
    const says = async (line: string) => {
      while (!said.split('\n').includes(line)) await once(child.stdout, 'data')
    }
    return { child, says, ended: once(child, 'exit') }
  }

  const journal = async () => {
    const found = await client.get(resources.configMaps, {
      namespace: namespace.metadata.name,
      name: 'journal',
    })
    return (found?.['data'] ?? {}) as { readonly writer?: string; readonly count?: string }
  }

  const lastRenewalMs = async (): Promise<number> => {
    const lease = await client.get(resources.leases, { namespace: namespace.metadata.name, name: 'leader' })
    return Date.parse((lease!['spec'] as { readonly renewTime: string }).renewTime)
  }

  test('a leader that was stopped for longer than its lease writes nothing when it goes on', async () => {
    const first = start('first')
    await first.says('leading')
    await expect.poll(journal).toMatchObject({ writer: 'first' })
    const second = start('second')
    await second.says('candidate')
    first.child.kill('SIGSTOP')
    const startMs = runningMs()
    const renewedMs = await lastRenewalMs()
    const stopped = await journal()
    await second.says('leading')
    expect(Date.now() - renewedMs).toBeGreaterThan(renewDeadlineMs)
    // It saw the last renewal by its next look, and that the time was over by another; each look takes some time itself.
    expect(runningMs() - startMs).toBeLessThan(leaseMs + 5 * retryMs)
    expect(stopped.writer).toBe('first')
    await expect.poll(journal).toMatchObject({ writer: 'second' })

    const { resourceVersion } = await client.list(resources.configMaps, {
      namespace: namespace.metadata.name,
    })
    first.child.kill('SIGCONT')
    const [[code], writers] = await Promise.all([first.ended, writersSince(resourceVersion)])
    expect(code).toBe(3)
    expect([...writers]).toEqual(['second'])
    expect(second.child.exitCode).toBeNull()
  })

  /** Who writes within two seconds, from the watch's history, so that not one write is missed. */
  async function writersSince(resourceVersion: string): Promise<ReadonlySet<unknown>> {
    const writers = new Set<unknown>()
    const events = client.watch(resources.configMaps, {
      namespace: namespace.metadata.name,
      fieldSelector: 'metadata.name=journal',
      resourceVersion,
      timeoutSeconds: 2,
      signal: AbortSignal.timeout(20_000),
    })
    for await (const { type, object } of events)
      if (type !== 'BOOKMARK') writers.add((object['data'] as { readonly writer?: string }).writer)
    return writers
  }
})
