import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resourceOf, resources } from '../../operator/kube/resource.ts'
import { ensureArgoAgent, ensureLua } from '../../scripts/gitops-engines.ts'
import { run } from '../../scripts/run.ts'
import { OperatorBench, condition, organization, statusOf } from '../integration/operator-bench.ts'
import { eventually } from '../integration/operator-harness.ts'
import { exampleObjects, namespacesOf, tenantObjects } from '../support/example.ts'
import { HostProcess } from './host-process.ts'
import { liveTenants, tenantsReady } from './live-tenants.ts'
import { sharedFields } from './managed-fields.ts'
import { Repository } from './repository.ts'

// Argo CD's engine syncs the example out of a git repository with no health script at all, prunes it, and never fights the
// operator; and the script for users judges right, in the Lua that Argo CD runs.

const prefix = `argo-${process.pid}`
const file = 'app/tenants.yaml'

describe('Argo CD', () => {
  let bench: OperatorBench
  let folder: string
  let repository: Repository
  let agent: HostProcess
  let lua: string
  let objects: readonly KubeObject[]
  const agentPort = 31_000 + (process.pid % 1_000)

  beforeAll(async () => {
    const kubeconfig = process.env['KUBECONFIG']!
    const program = await ensureArgoAgent()
    lua = await ensureLua()
    bench = await OperatorBench.open(kubeconfig)
    folder = await mkdtemp(join(tmpdir(), 'holdfast-argo-'))
    repository = await Repository.create(join(folder, 'repository'))
    objects = await exampleObjects(prefix)
    bench.namespaces.push(...namespacesOf(objects))
    await repository.commit(file, objects)
    bench.nodes.holdBack = true
    const args = ['--path', 'app', '--kubeconfig', kubeconfig, '--default-namespace', 'default']
    const more = ['--resync-seconds', '5', '--port', String(agentPort)]
    agent = new HostProcess(program, [repository.folder, ...args, ...more], join(folder, 'agent.log'))
  }, 3_600_000)

  afterAll(async () => {
    await agent.stop()
    await bench.close()
    await rm(folder, { recursive: true })
  })

  const live = (wanted: readonly KubeObject[]) => liveTenants(bench, wanted)
  /** How many syncs the engine has ended well. */
  const syncs = async () => (await agent.log()).split('successfully synced').length - 1
  const syncsAgain = async () => {
    const before = await syncs()
    await eventually('the engine syncs', 60_000, async () => (await syncs()) > before + 1)
  }

  test('brings the example, with no health script, and ends its sync before tenants are ready', async () => {
    await eventually('the engine has synced', 120_000, async () => (await syncs()) > 0)
    for (const found of await live(objects)) expect(condition(found, 'Ready')?.status).not.toBe('True')
    bench.nodes.holdBack = false
    await tenantsReady(bench, objects)
    await syncsAgain()
    expect(await agent.log()).not.toMatch(/Failed to synchronize|SyncFailed/)
  })

  test('at rest, the engine and the operator write nothing over and over', async () => {
    const writes = await bench.writesAtRest()
    const before = await live(objects)
    await syncsAgain()
    await syncsAgain()
    expect(await bench.operator.writes()).toBe(writes)
    expect(await live(objects)).toEqual(before)
    for (const object of before) expect(sharedFields(object!)).toEqual([])
  })

  test('undoes what somebody changes or deletes by hand', async () => {
    const { namespace, name } = objects.find(({ kind }) => kind === 'Organization')!.metadata
    await bench.apply(organization(namespace!, { displayName: 'Somebody else' }, { name }))
    const deleted = objects.find(
      ({ kind, metadata }) => kind === 'Token' && metadata.namespace === namespace,
    )!
    const [before] = await live([deleted])
    await bench.remove(resources.tokens, namespace!, deleted.metadata.name)
    await eventually('the token is there again', 60_000, async () => {
      const [found] = await live([deleted])
      return found && found.metadata.uid !== before?.metadata.uid
    })
    await eventually('the display name is back', 60_000, async () => {
      const found = await bench.get(resources.organizations, namespace, name)
      return (found?.['spec'] as { displayName?: string } | undefined)?.displayName === 'Marketing'
    })
    await tenantsReady(bench, objects)
  })

  test('prunes what left the repository, and its data stays', async () => {
    const left = objects.filter(
      ({ kind, metadata }) => kind === 'Namespace' || metadata.namespace === `${prefix}-marketing`,
    )
    const gone = tenantObjects(objects).filter((object) => !left.includes(object))
    const [pruned = null] = await live(gone.filter(({ kind }) => kind === 'Organization'))
    const runtimeNamespace = statusOf(pruned).runtimeNamespace!
    bench.namespaces.push(runtimeNamespace)
    await repository.commit(file, left)
    for (const { apiVersion, kind, metadata } of gone)
      await bench.isGone(resourceOf({ apiVersion, kind }), metadata.namespace, metadata.name)
    for (const found of await live(left)) expect(condition(found, 'Ready')?.status).toBe('True')
    await bench.writesAtRest()
    const volume = await bench.get(resources.persistentVolumeClaims, runtimeNamespace, 'data-storage-node-0')
    expect(volume?.metadata).toMatchObject({ name: 'data-storage-node-0' })
    expect(volume?.metadata.deletionTimestamp).toBeUndefined()
  })

  test('the health script for users judges what there is as it stands', async () => {
    const namespace = await bench.newNamespace()
    await bench.operator.stop()
    await bench.apply(organization(namespace))
    const read = async () => (await bench.get(resources.organizations, namespace, 'acme'))!
    expect(await healthOf(await read())).toMatch(/^Progressing: no operator/)
    await bench.operator.start()
    await bench.becomesReady(resources.organizations, namespace, 'acme')
    expect(await healthOf(await read())).toMatch(/^Healthy: /)
    await bench.apply(organization(namespace, { class: 'golden' }))
    await bench.hasReason(resources.organizations, namespace, 'acme', 'ClassNotFound')
    expect(await healthOf(await read())).toMatch(/^Degraded: spec\.class/)
    const edited = await read()
    const later = { ...edited, metadata: { ...edited.metadata, generation: 99 } }
    expect(await healthOf(later)).toMatch(/^Progressing: the operator has not looked at this spec/)
    const { status: _none, ...bare } = edited
    expect(await healthOf(bare as KubeObject)).toMatch(/^Progressing: no operator/)
  })

  async function healthOf(object: KubeObject): Promise<string> {
    const example = join(import.meta.dirname, '../../examples/gitops/argocd-cm.yaml')
    const { data } = parse(await readFile(example, 'utf8')) as {
      readonly data: { readonly 'resource.customizations': string }
    }
    const customizations = parse(data['resource.customizations']) as Readonly<
      Record<string, { readonly 'health.lua': string }>
    >
    const script = customizations['holdfast.dev/*']!['health.lua']
    const text = `obj = ${luaOf(object)}\nlocal function judge()\n${script}\nend\nlocal hs = judge()\nprint(hs.status .. ": " .. hs.message)\n`
    const path = join(folder, 'health.lua')
    await writeFile(path, text)
    return (await run(lua, [path])).trim()
  }
})

/** A JSON value as Lua writes it. */
function luaOf(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(luaOf).join(', ')}}`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([key, child]) => `[${JSON.stringify(key)}] = ${luaOf(child)}`)
    return `{${fields.join(', ')}}`
  }
  return value === null ? 'nil' : JSON.stringify(value)
}
