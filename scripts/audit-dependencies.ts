import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { AppError } from '../common/errors.ts'
import { script } from './script.ts'

/**
 * Asks npm's registry what is known against the packages of the lock file, those for development among them. Each advisory is
 * explained in `docs/dependencies.md`, or this fails:
 *
 *     npm run audit
 */
const root = join(import.meta.dirname, '..')
const explanations = 'docs/dependencies.md'

/** A weakness that somebody has published of a package. */
export interface Advisory {
  /** As it is known everywhere: `GHSA-xxxx-xxxx-xxxx`. */
  readonly id: string
  /** The package that has it. */
  readonly name: string
  readonly title: string
}

/** Nothing is known of packages whose registry has not answered: that is not the same as nothing known against them. */
export type Audit =
  | { readonly kind: 'answered'; readonly advisories: readonly Advisory[] }
  | { readonly kind: 'silent'; readonly why: string }

/** Longer than an answer takes, and short enough to wait for where there is none. */
const timeoutMs = 30_000
const answerBytes = 64 * 1024 * 1024

async function auditDependencies(): Promise<Audit> {
  const args = ['audit', '--json', '--package-lock-only', '--fetch-retries=0', '--fetch-timeout=10000']
  // It exits with 1 both where it has found something and where it could not ask.
  const output = await new Promise<string>((resolve) => {
    execFile('npm', args, { cwd: root, timeout: timeoutMs, maxBuffer: answerBytes }, (_error, stdout) =>
      resolve(stdout),
    )
  })
  return auditOf(output)
}

/** A package is there by an advisory of its own, or by the name of one that it needs. */
const reportSchema = z.object({
  auditReportVersion: z.literal(2),
  vulnerabilities: z.record(
    z.string(),
    z.object({
      via: z.array(z.union([z.string(), z.object({ name: z.string(), title: z.string(), url: z.url() })])),
    }),
  ),
})
const failureSchema = z.object({ message: z.string() })

/** What npm 7 and newer print for `npm audit --json`. */
export function auditOf(output: string): Audit {
  const answer = jsonOf(output)
  const report = reportSchema.safeParse(answer)
  if (!report.success) {
    const failure = failureSchema.safeParse(answer)
    return { kind: 'silent', why: failure.success ? failure.data.message : 'npm printed no report' }
  }
  const found = new Map<string, Advisory>()
  for (const cause of Object.values(report.data.vulnerabilities).flatMap(({ via }) => via)) {
    if (typeof cause === 'string') continue
    const { name, title, url } = cause
    const id = url.slice(url.lastIndexOf('/') + 1)
    found.set(id, { id, name, title })
  }
  return { kind: 'answered', advisories: [...found.values()] }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What is wrong between what is known and what is explained, a line each: what is not explained, and what is over. */
export function differences(advisories: readonly Advisory[], document: string): readonly string[] {
  const explained = new Set(document.match(/\bGHSA(?:-[0-9a-z]{4}){3}\b/g))
  const known = new Set(advisories.map(({ id }) => id))
  return [
    ...advisories
      .filter(({ id }) => !explained.has(id))
      .map(({ id, name, title }) => `${id} of ${name} is not explained in ${explanations}: ${title}`),
    ...[...explained]
      .filter((id) => !known.has(id))
      .map((id) => `${id} is explained in ${explanations} and known of no package any more`),
  ]
}

/** @returns an end to a sentence about the packages @throws AppError with what is not explained */
async function judge(audit: Audit): Promise<string> {
  if (audit.kind === 'silent') return `skipped, nothing is known: ${audit.why}`
  const wrong = differences(audit.advisories, await readFile(join(root, explanations), 'utf8'))
  if (wrong.length > 0) throw new AppError('invalid', 'ERR_AUDIT', wrong.join('\n'))
  return audit.advisories.length === 0 ? 'none' : `${audit.advisories.length}, all of them explained`
}

if (import.meta.main) {
  await script(async () => console.log(`advisories: ${await judge(await auditDependencies())}`))
}
