import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * All that CI runs, cheap to dear; the first layer that fails ends the run, since what comes after it would cost
 * minutes to say the same. Ends with one line: `N passed, N failed, N skipped`.
 */
interface Layer {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const vitest = (project: string): Layer => ({
  name: project,
  command: 'vitest',
  args: ['run', '--project', project],
})

const layers: readonly Layer[] = [
  { name: 'lint', command: 'npm', args: ['run', '--silent', 'lint'] },
  vitest('unit'),
  vitest('tidy'),
  vitest('node'),
  vitest('control-plane'),
  vitest('e2e'),
]

interface Counts {
  passed: number
  failed: number
  skipped: number
}

function run(layer: Layer, report: string): Promise<number> {
  const args =
    layer.command === 'vitest'
      ? [...layer.args, '--reporter=default', '--reporter=json', `--outputFile=${report}`]
      : layer.args
  return new Promise((resolve, reject) => {
    const child = spawn(layer.command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}

function countsOf(report: string): Counts {
  const result = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    numTodoTests: number
  }
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests,
    skipped: result.numPendingTests + result.numTodoTests,
  }
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
const chosen = process.argv.slice(2)
const total: Counts = { passed: 0, failed: 0, skipped: 0 }
let code = 0
try {
  for (const layer of layers) {
    if (chosen.length > 0 && !chosen.includes(layer.name)) continue
    const started = performance.now()
    console.log(`\n=== ${layer.name}`)
    const report = join(folder, `${layer.name}.json`)
    code = await run(layer, report)
    if (layer.command === 'vitest') {
      const counts = countsOf(report)
      total.passed += counts.passed
      total.failed += counts.failed
      total.skipped += counts.skipped
      if (code === 0 && counts.passed === 0) code = 1
    }
    console.log(
      `=== ${layer.name}: ${code === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(0)} s`,
    )
    if (code !== 0) {
      total.failed = Math.max(total.failed, 1)
      break
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = code
