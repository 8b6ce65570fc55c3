import { describe, expect, test } from 'vitest'
import { FakeClock } from '../test/support/fake-clock.ts'
import { Attempts, mayBeTried, type Attempt, type Outcome } from './attempts.ts'

// Whoever may ask for attempts can ask for few, seldom, of a fixed form, and never for those that stay on the machine.

function attempts(bounds = { atOnce: 1, pauseMs: 0 }) {
  const clock = new FakeClock()
  const tried: Attempt[] = []
  const pending: ((outcome: Outcome) => void)[] = []
  const reach = (attempt: Attempt): Promise<Outcome> => {
    tried.push(attempt)
    return new Promise((resolve) => pending.push(resolve))
  }
  const made = new Attempts({ reach, ownPort: () => 8_087, bounds, clock })
  return { clock, tried, pending, make: (body: unknown) => made.make(JSON.stringify(body)), made }
}

const attempt = (more: object = {}) => ({ protocol: 'tcp', address: '10.0.0.1', port: 443, ...more })

describe('what may be asked for', () => {
  test.each([
    ['no list', {}],
    ['none', { attempts: [] }],
    ['too many', { attempts: Array.from({ length: 17 }, () => attempt()) }],
    ['a name in place of an address', { attempts: [attempt({ address: 'example.com' })] }],
    ['another protocol', { attempts: [attempt({ protocol: 'udp' })] }],
    ['port 0', { attempts: [attempt({ port: 0 })] }],
    ['words to send', { attempts: [attempt({ payload: 'secret' })] }],
    ['a time to wait', { attempts: [attempt()], timeoutMs: 60_000 }],
    ['the machine itself', { attempts: [attempt({ address: '127.0.0.1' })] }],
  ])('%s is refused, and nothing is tried', async (_what, body) => {
    const { make, tried } = attempts()
    await expect(make(body)).rejects.toMatchObject({ kind: 'invalid', code: 'ERR_ATTEMPTS' })
    expect(tried).toEqual([])
  })

  test.each([
    ['10.244.0.7', true],
    ['169.254.169.254', true],
    ['2001:db8::1', true],
    ['127.8.9.1', false],
    ['0.0.0.0', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::1', false],
    ['::', false],
    ['::ffff:127.0.0.1', false],
    ['ff02::1', false],
    ['localhost', false],
    ['', false],
  ])('%s: %s', (address, isAllowed) => expect(mayBeTried(address)).toBe(isAllowed))
})

test('a port of its own comes first, then the attempts in their order', async () => {
  const { make, pending, tried } = attempts()
  const asked = make({ attempts: [attempt(), attempt({ port: 53, protocol: 'dns' })] })
  pending[2]!('refused')
  pending[1]!('silent')
  pending[0]!('connected')
  expect(await asked).toEqual({ control: 'connected', outcomes: ['silent', 'refused'] })
  expect(tried.map(({ address, port }) => `${address}:${port}`)).toEqual([
    '127.0.0.1:8087',
    '10.0.0.1:443',
    '10.0.0.1:53',
  ])
})

test('what is no JSON is refused', async () => {
  await expect(attempts().made.make('{')).rejects.toMatchObject({ code: 'ERR_ATTEMPTS' })
})

test('one request at a time, and a pause between two', async () => {
  const { make, pending, clock, tried } = attempts({ atOnce: 1, pauseMs: 500 })
  const end = () => pending.splice(0).forEach((settle) => settle('silent'))
  const busy = { code: 'ERR_ATTEMPTS_BUSY' }
  const first = make({ attempts: [attempt()] })
  clock.jump(1_000)
  await expect(make({ attempts: [attempt()] })).rejects.toMatchObject(busy)
  end()
  await first
  const second = make({ attempts: [attempt()] })
  end()
  await second
  await expect(make({ attempts: [attempt()] })).rejects.toMatchObject(busy)
  expect(tried).toHaveLength(4)
})
