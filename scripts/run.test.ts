import { describe, expect, test } from 'vitest'
import { run, spanOf, tryRun } from './run.ts'

describe('a command gives its output or says why it could not', () => {
  test('standard output, with the input it was given', async () => {
    expect(await run('cat', [], { input: 'weather,city=Bern t=3' })).toBe('weather,city=Bern t=3')
  })

  test.each([
    {
      name: 'exit code',
      script: 'echo first >&2; echo the disk is full >&2; exit 3',
      says: /exited with 3:\nfirst\nthe disk is full$/,
    },
    { name: 'signal', script: 'kill -TERM $$', says: /was ended by SIGTERM$/ },
    {
      name: 'only the last lines',
      script: 'seq 1 1000 >&2; exit 1',
      says: /exited with 1:\n981\n(.|\n)*\n1000$/,
    },
  ])('$name', async ({ script, says }) => {
    await expect(run('sh', ['-c', script])).rejects.toThrow(says)
  })

  test('a command that does not exist', async () => {
    await expect(run('/no/such/command', [])).rejects.toThrow('/no/such/command could not be run')
  })

  test('one that takes too long is killed', async () => {
    await expect(run('sleep', ['60'], { timeoutMs: 50 })).rejects.toThrow('sleep 60 ran past its time')
  })

  test('a variable can be set and taken away', async () => {
    const env = { HOLDFAST_TEST: 'set', HOME: undefined }
    expect(await run('sh', ['-c', 'echo $HOLDFAST_TEST ${HOME-none}'], { env })).toBe('set none\n')
  })

  test('a question answered by failing', async () => {
    expect(await tryRun('false', [])).toBeUndefined()
    expect(await tryRun('echo', ['yes'])).toBe('yes\n')
  })

  test('progress is told to whoever listens', async () => {
    const lines: string[] = []
    await run('true', [], { progress: 'Doing nothing', report: (line) => lines.push(line) })
    expect(lines).toEqual(['Doing nothing'])
  })
})

test.each([
  [400, '0 s'],
  [59_400, '59 s'],
  [75_000, '1 min 15 s'],
])('%d ms are shown as %s', (ms, text) => {
  expect(spanOf(ms)).toBe(text)
})
