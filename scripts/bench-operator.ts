import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AppError } from '../common/errors.ts'
import { playCase, type Outcome } from '../test/bench/operator/case.ts'
import { section } from '../test/bench/operator/section.ts'
import { withOperator } from '../test/bench/page.ts'
import { script, timedProgress } from './script.ts'
import { ensurePrograms } from './system-packages.ts'

const page = join(import.meta.dirname, '../docs/benchmarks.md')
const whole = { databases: 3, tokens: 5 }
const alone = { databases: 0, tokens: 0 }

/**
 * `make bench-operator`: the operator with 10, 100 and 1,000 organizations. Without options it does everything and writes
 * its section of docs/benchmarks.md; with options it prints to the terminal only. Runs as root.
 *
 *     npm run bench-operator -- --organizations 10,100     these sizes
 *     npm run bench-operator -- --alone 1000               organizations without members: their creation
 */
function sizesOf(args: readonly string[]) {
  const options = { organizations: { type: 'string' }, alone: { type: 'string' } } as const
  const { values } = parseArgs({ args: [...args], options })
  const isAll = args.length === 0
  const numbers = (text: string | undefined, usual: string): readonly number[] =>
    (text ?? (isAll ? usual : '')).split(',').flatMap((part) => (part === '' ? [] : [countOf(part)]))
  return {
    isAll,
    whole: numbers(values.organizations, '10,100,1000'),
    alone: numbers(values.alone, '1000'),
  }
}

function countOf(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 10_000) return count
  throw new AppError('invalid', 'ERR_BENCH_OPTIONS', `"${text}" is not a number of organizations, 1 to 10000`)
}

await script(async () => {
  const sizes = sizesOf(process.argv.slice(2))
  const startedMs = performance.now()
  const say = timedProgress()
  const outcomes: Outcome[] = []
  await ensurePrograms(['ip'])
  for (const organizations of sizes.whole) {
    say(`${organizations} organizations with their members`)
    outcomes.push(await playCase({ organizations, ...whole }, true, say))
  }
  for (const organizations of sizes.alone) {
    say(`${organizations} organizations alone`)
    outcomes.push(await playCase({ organizations, ...alone }, false, say))
  }
  const text = section(outcomes, performance.now() - startedMs)
  console.log(`\n${text}`)
  if (sizes.isAll) await writeFile(page, withOperator(await readFile(page, 'utf8').catch(() => ''), text))
})
