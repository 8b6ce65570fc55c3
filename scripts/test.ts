import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cluster } from '../local-kubernetes/cluster.ts'
import { openCluster } from '../local-kubernetes/open-cluster.ts'
import { progressOnStderr, spanOf } from './run.ts'
import { script } from './script.ts'
import { ensurePrograms } from './system-packages.ts'
import { testClusterKind } from './test-cluster.ts'
import { failureLines, type TestReport } from './test-report.ts'

/**
 * All that CI runs, cheap to dear; the first layer that fails ends the run, since what comes after it would cost
 * minutes to say the same. Ends with every failure in short, and with one line: `N passed, N failed, N skipped`.
 *
 *     npm test                everything
 *     npm test -- unit e2e    these layers only
 *
 * They run on the single node of our own (`testClusterKind`), which is taken down again at the end if it was not up before.
 */
interface Layer {
  readonly name: string
  /** Runs the layer; `report` is where its `TestReport` is written, if it is a layer of vitest's. */
  run(report: string): Promise<number>
}

interface Total {
  passed: number
  failed: number
  skipped: number
  readonly failures: string[]
}

function spawned(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
) {
  return new Promise<number>((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...environment },
    })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}

const vitest = (project: string, environment: Readonly<Record<string, string>> = {}): Layer => ({
  name: project,
  run: (report) =>
    spawned(
      'vitest',
      ['run', '--project', project, '--reporter=default', '--reporter=./scripts/test-reporter.ts'],
      { ...environment, HOLDFAST_TEST_REPORT: report },
    ),
})

function layersOn(cluster: Cluster): readonly Layer[] {
  return [
    { name: 'lint', run: () => spawned('npm', ['run', '--silent', 'lint']) },
    vitest('unit'),
    vitest('operator'),
    vitest('tidy'),
    vitest('simulation'),
    vitest('node'),
    // It starts a control plane of its own, wherever a KUBECONFIG of the user's may point.
    vitest('control-plane', { KUBECONFIG: '' }),
    // The main job itself, by the command that users run.
    { name: 'up', run: () => spawned(process.execPath, ['scripts/up.ts']) },
    vitest('e2e', { KUBECONFIG: cluster.kubeconfig }),
    vitest('leaks'),
  ]
}

async function runLayer(layer: Layer, folder: string, total: Total): Promise<number> {
  const startedMs = performance.now()
  console.log(`\n=== ${layer.name}`)
  const file = join(folder, `${layer.name}.json`)
  let code = await layer.run(file)
  const report = readReport(file)
  if (report) {
    total.passed += report.passed
    total.failed += report.failed
    total.skipped += report.skipped
    total.failures.push(...failureLines(layer.name, report.failures))
    if (code === 0 && report.passed === 0) code = 1
  }
  console.log(
    `=== ${layer.name}: ${code === 0 ? 'ok' : 'FAILED'} in ${spanOf(performance.now() - startedMs)}`,
  )
  return code
}

/** null for a layer that is not vitest's. */
function readReport(file: string): TestReport | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TestReport
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function main(): Promise<void> {
  const chosen = process.argv.slice(2)
  process.env['CLUSTER'] = testClusterKind(process.env)
  await ensurePrograms(['git'])
  const cluster = await openCluster(process.env['CLUSTER'])
  const layers = layersOn(cluster).filter(({ name }) => chosen.length === 0 || chosen.includes(name))
  const wasUp = await cluster.isUp()
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const total: Total = { passed: 0, failed: 0, skipped: 0, failures: [] }
  let code = 0
  try {
    for (const layer of layers) {
      code = await runLayer(layer, folder, total)
      if (code !== 0) break
    }
  } catch (error) {
    console.error(error)
    code = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
    if (!wasUp && chosen.length === 0) await cluster.down(progressOnStderr)
  }
  if (code !== 0) total.failed = Math.max(total.failed, 1)
  if (total.failures.length > 0) console.log(`\n${total.failures.join('\n')}`)
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  process.exitCode = code
}

await script(main)
