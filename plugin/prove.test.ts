import { describe, expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { prove, type ProveOptions } from './prove.ts'
import { table } from './table.ts'

// What is open is shown and ends with 1; what was not proved never passes for closed; the request is taken back whatever happens.

type Result = 'Closed' | 'Open' | 'NotTried'

/** An API server with organizations, whose operator answers a request with these results. */
function world(organizations: Readonly<Record<string, readonly Result[] | 'silent'>>) {
  const clock = new FakeClock()
  const asked = new Map<string, string>()
  const calls: string[] = []
  const printed: string[] = []
  const object = (name: string) => {
    const results = organizations[name]!
    const request = asked.get(name)
    const paths =
      results === 'silent'
        ? []
        : results.map((result, index) => ({
            from: 'storage-node-0',
            to: `target ${index}`,
            control: result === 'NotTried' ? 'NotReached' : 'Reached',
            result,
          }))
    const proof = request === undefined || results === 'silent' ? {} : { isolationProof: { request, paths } }
    const conditions = [{ type: 'NetworkIsolated', status: 'True', message: 'nothing got through' }]
    return { metadata: { name, namespace: 'team' }, status: { conditions, ...proof } }
  }
  const kubectl = async (...args: readonly string[]): Promise<string> => {
    calls.push(args.join(' '))
    const [verb, , name = ''] = args
    if (verb === 'get' && organizations[name]) return JSON.stringify(object(name))
    if (verb === 'get') return JSON.stringify({ items: Object.keys(organizations).map(object) })
    const change = args.find((argument) => argument.startsWith('holdfast.dev/prove'))!
    if (change.endsWith('-')) asked.delete(name)
    else asked.set(name, change.split('=')[1]!)
    return ''
  }
  const run = async (options: Partial<ProveOptions> = {}) => {
    const clockRuns = setInterval(() => void clock.advance(1_000), 1)
    try {
      const all = { names: [], namespace: 'team', isAll: false, timeoutMs: 5_000, ...options }
      return await prove({ kubectl, clock, print: (text) => printed.push(text) }, all)
    } finally {
      clearInterval(clockRuns)
    }
  }
  return { asked, calls, printed, run }
}

describe('the exit code', () => {
  test.each<[string, Parameters<typeof world>[0], number]>([
    ['everything closed', { a: ['Closed', 'Closed'], b: ['Closed'] }, 0],
    ['a path is open', { a: ['Closed', 'Open'] }, 1],
    ['one of many has an open path', { a: ['NotTried'], b: ['Open'], c: ['Closed'], d: ['NotTried'] }, 1],
    ['something was not tried', { a: ['Closed', 'NotTried'], b: ['Closed'] }, 2],
    ['nothing was tried', { a: [] }, 2],
    ['nobody answers', { a: 'silent' }, 2],
    ['there is none', {}, 2],
  ])('%s', async (_what, organizations, code) => {
    const { run, asked } = world(organizations)
    expect(await run()).toBe(code)
    expect(asked.size).toBe(0)
  })
})

test('every path is shown beside its control', async () => {
  const { run, printed } = world({ a: ['Closed', 'Open', 'NotTried'] })
  await run()
  expect(printed.join('\n').split('\n')).toEqual([
    'team/a: NetworkIsolated True: nothing got through',
    'FROM            TO        CONTROL      RESULT',
    'storage-node-0  target 0  reached      closed',
    'storage-node-0  target 1  reached      open',
    'storage-node-0  target 2  not reached  not tried',
    '',
  ])
})

test('only those that are named are asked', async () => {
  const { run, calls } = world({ a: ['Closed'], b: ['Open'] })
  expect(await run({ names: ['a'] })).toBe(0)
  expect(calls.filter((call) => call.startsWith('annotate')).every((call) => call.includes(' a '))).toBe(true)
  await expect(run({ names: ['c'] })).rejects.toThrow('"c"')
})

test('all namespaces are one list', async () => {
  const { run, calls } = world({ a: ['Closed'] })
  await run({ isAll: true })
  expect(calls[0]).toBe('get organizations.holdfast.dev --all-namespaces --output json')
})

test('a table without rows is its head', () => expect(table([['A', 'B']])).toBe('A  B'))
