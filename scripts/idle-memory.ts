import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { identity } from '../common/identity.ts'
import { TestAuthority, writeIdentity } from '../test/support/certificates.ts'
import { imageForm, type Form } from '../test/support/image-form.ts'
import { agentOf, host, send, TestInstallation } from '../test/support/installation.ts'
import { MemoryGroup } from '../test/support/memory-group.ts'
import { ensureDuckdbExtension } from './duckdb-extension.ts'
import { script } from './script.ts'

/**
 *     npm run idle-memory            what idle processes hold, each in a memory cgroup with the chart's default limit
 *     npm run idle-memory -- 120     after so many seconds in place of 30
 */
const limitBytes = 512 * 1_048_576
const seconds = Number(process.argv[2] ?? 30)
const port = 28_087
const bareServer = `import { createServer } from 'node:http'
createServer((request, response) => response.end('ok')).listen(${port}, '${host}')`

/** Has a process say what it holds when it gets SIGUSR2. */
const report = `process.on('SIGUSR2', () => process.stderr.write(JSON.stringify(process.memoryUsage()) + '\\n'))`
const reporting = ([node, ...rest]: readonly string[]): readonly string[] => [
  node!,
  '--import',
  `data:text/javascript,${encodeURIComponent(report)}`,
  ...rest,
]

const mb = (bytes: number): string => (bytes / 1e6).toFixed(1)

interface Started {
  readonly child: ChildProcess
  readonly startedMs: number
}

/** Waits until it answers, asks it every two seconds as the kubelet does, then prints a line of the table. */
async function observe(
  name: string,
  group: MemoryGroup,
  { child, startedMs }: Started,
  ask: () => Promise<boolean>,
): Promise<void> {
  try {
    while (!(await ask().catch(() => false))) {
      if (child.exitCode !== null || performance.now() - startedMs > 20_000)
        throw new Error(`${name} does not answer`)
      await sleep(10)
    }
    const readyMs = performance.now() - startedMs
    for (let passed = 0; passed < seconds; passed += 2) {
      await sleep(2_000)
      await ask()
    }
    const use = await group.use()
    const said = new Promise<Buffer>((resolve) => child.stderr!.once('data', resolve))
    child.kill('SIGUSR2')
    const own = JSON.parse((await said).toString()) as NodeJS.MemoryUsage
    const figures = [use.workingSet, use.anonymous, use.activeFile, own.rss, own.heapTotal, own.heapUsed]
    const cells = [...figures, own.external].map(mb)
    console.log(`| ${[name, readyMs.toFixed(0), ...cells].join(' | ')} |`)
  } finally {
    child.kill('SIGKILL')
    await group.remove()
  }
}

function start({ command, environment }: Form): Started {
  const [file, ...args] = command
  const child = spawn(file!, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...environment } })
  return { child, startedMs: performance.now() }
}

async function measure(name: string, form: Form, path: string): Promise<void> {
  const group = await newGroup()
  const started = start({ ...form, command: group.within(reporting(form.command)) })
  await observe(name, group, started, async () => (await fetch(`http://${host}:${port}${path}`)).ok)
}

async function newGroup(): Promise<MemoryGroup> {
  const group = await MemoryGroup.create('holdfast-idle-memory', limitBytes)
  if (typeof group === 'string') throw new Error(`no memory cgroup of version 1: ${group}`)
  return group
}

/** A node of a cluster, with all that the operator gives it. */
async function measureTenant(form: Form): Promise<void> {
  const installation = await TestInstallation.create()
  const group = await newGroup()
  try {
    const startedMs = performance.now()
    const { process } = await installation.startTenant('aaaaaaaaaaaaaaaa', {
      ...form,
      command: group.within(reporting(form.command)),
    })
    await observe(
      'storage node of a cluster, image',
      group,
      { child: process.child, startedMs },
      async () => {
        const agent = agentOf(installation.operator.ca, null)
        const { status } = await send(agent, `https://${host}:${process.port}/ready`)
        await agent.close()
        return status === 200
      },
    )
  } finally {
    await installation.stop()
  }
}

/** A gateway that is asked on its metrics port, and never serves anybody. */
async function measureGateway(form: Form, folder: string): Promise<void> {
  const authority = await TestAuthority.create()
  const identityDir = await writeIdentity(
    folder,
    await authority.issue(identity('cccccccccccccccc', 'gateway')),
  )
  const environment = {
    HOLDFAST_LISTEN: `${host}:0`,
    HOLDFAST_METRICS_LISTEN: `${host}:${port}`,
    HOLDFAST_INSECURE_HTTP: 'true',
    HOLDFAST_IDENTITY_DIR: identityDir,
  }
  const settings = { ...form.environment, ...environment }
  await measure('gateway, image', { command: form.command, environment: settings }, '/readyz')
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-idle-memory-'))
  try {
    const flags = (name: string) =>
      `--data ${join(folder, name)} --listen ${host}:${port} --auth off --log-level error`.split(' ')
    const bare = join(folder, 'bare.mjs')
    await writeFile(bare, bareServer)
    const image = await imageForm('storage-node', join(folder, 'storage-node'))
    const gateway = await imageForm('gateway', join(folder, 'gateway'))
    const extension = { HOLDFAST_DUCKDB_EXTENSION: await ensureDuckdbExtension() }
    const development = [process.execPath, join(import.meta.dirname, '../storage-node/main.ts')]
    console.log(
      '| MB after idling | ready, ms | working set | anonymous | file, active | RSS | heap | used | external |',
    )
    console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- |')
    await measure('bare HTTP server', { command: [process.execPath, bare], environment: {} }, '/')
    await measure(
      'storage node alone, TypeScript',
      { command: [...development, ...flags('a')], environment: extension },
      '/ready',
    )
    await measure(
      'storage node alone, image',
      { ...image, command: [...image.command, ...flags('b')] },
      '/ready',
    )
    await measureTenant(image)
    await measureGateway(gateway, join(folder, 'identity'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

await script(main)
