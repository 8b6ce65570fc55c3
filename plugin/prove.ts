import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import type { Clock } from '../common/clock.ts'
import type { Kubectl } from './kubectl.ts'
import { table } from './table.ts'

const pathSchema = z.object({
  from: z.string(),
  to: z.string(),
  control: z.string(),
  result: z.string(),
})
const organizationSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  status: z
    .object({
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string() }))
        .default([]),
      isolationProof: z.object({ request: z.string(), paths: z.array(pathSchema).default([]) }).optional(),
    })
    .default({ conditions: [] }),
})
const listSchema = z.object({ items: z.array(organizationSchema) })

type Organization = z.infer<typeof organizationSchema>
type Path = z.infer<typeof pathSchema>

export interface ProveOptions {
  /** Empty: all of the namespace. */
  readonly names: readonly string[]
  /** undefined: that of the context. */
  readonly namespace: string | undefined
  readonly isAll: boolean
  readonly timeoutMs: number
}

interface Surroundings {
  readonly kubectl: Kubectl
  readonly clock: Clock
  readonly print: (text: string) => void
}

const annotation = 'holdfast.dev/prove'
const resource = 'organizations.holdfast.dev'
const pollMs = 500
/** Asked at one time. */
const atOnce = 8

/** @returns 0 where everything is closed, 1 where a packet got through, 2 where something could not be proved */
export async function prove(around: Surroundings, options: ProveOptions): Promise<0 | 1 | 2> {
  const found = await chosen(around.kubectl, options)
  if (found.length === 0) {
    around.print('there is no Organization here')
    return 2
  }
  let worst: 0 | 1 | 2 = 0
  for (let start = 0; start < found.length; start += atOnce) {
    const some = found.slice(start, start + atOnce)
    for (const proved of await Promise.all(some.map((one) => proveOne(around, one, options.timeoutMs)))) {
      around.print(proved.text)
      if (proved.outcome === 1 || worst === 0) worst = proved.outcome
    }
  }
  return worst
}

async function chosen(
  kubectl: Kubectl,
  { names, namespace, isAll }: ProveOptions,
): Promise<readonly Organization[]> {
  const where = isAll ? ['--all-namespaces'] : namespace === undefined ? [] : ['--namespace', namespace]
  const listed = await kubectl('get', resource, ...where, '--output', 'json')
  const { items } = listSchema.parse(JSON.parse(listed))
  const missing = names.find((name) => !items.some(({ metadata }) => metadata.name === name))
  if (missing !== undefined) throw new Error(`there is no Organization "${missing}" here`)
  return names.length === 0 ? items : items.filter(({ metadata }) => names.includes(metadata.name))
}

interface Proved {
  readonly outcome: 0 | 1 | 2
  readonly text: string
}

/** Asks by an annotation, waits for the answer in status, and takes the annotation away, which takes the answer away. */
async function proveOne(
  { kubectl, clock }: Surroundings,
  { metadata: { name, namespace } }: Organization,
  timeoutMs: number,
): Promise<Proved> {
  const request = `${new Date(clock.nowMs()).toISOString()}-${randomBytes(4).toString('hex')}`
  const annotate = (change: string) =>
    kubectl('annotate', resource, name, '--namespace', namespace, change, '--overwrite')
  await annotate(`${annotation}=${request}`)
  try {
    const untilMs = clock.monotonicMs() + timeoutMs
    for (;;) {
      const text = await kubectl('get', resource, name, '--namespace', namespace, '--output', 'json')
      const organization = organizationSchema.parse(JSON.parse(text))
      if (organization.status.isolationProof?.request === request) return provedOf(organization)
      if (clock.monotonicMs() >= untilMs) return silent(organization, timeoutMs)
      await clock.sleep(pollMs)
    }
  } finally {
    await annotate(`${annotation}-`)
  }
}

function provedOf(organization: Organization): Proved {
  const paths = organization.status.isolationProof?.paths ?? []
  const rows = paths.map(({ from, to, control, result }) => [from, to, wordOf(control), wordOf(result)])
  const lines = [titleOf(organization)]
  if (rows.length > 0) lines.push(table([['FROM', 'TO', 'CONTROL', 'RESULT'], ...rows]))
  return { outcome: outcomeOf(paths), text: `${lines.join('\n')}\n` }
}

function outcomeOf(paths: readonly Path[]): 0 | 1 | 2 {
  if (paths.some(({ result }) => result === 'Open')) return 1
  return paths.length > 0 && paths.every(({ result }) => result === 'Closed') ? 0 : 2
}

function titleOf({ metadata: { name, namespace }, status }: Organization): string {
  const said = status.conditions.find(({ type }) => type === 'NetworkIsolated')
  return `${namespace}/${name}: NetworkIsolated ${said?.status ?? 'Unknown'}: ${said?.message ?? 'nothing was tried'}`
}

function silent(organization: Organization, timeoutMs: number): Proved {
  const what = `no answer within ${timeoutMs / 1_000} s: does the operator run, and is the organization paused?`
  return { outcome: 2, text: `${titleOf(organization)}\n${what}\n` }
}

/** `NotTried` as `not tried`. */
const wordOf = (word: string): string => word.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
