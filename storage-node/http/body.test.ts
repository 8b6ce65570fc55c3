import { randomBytes } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { HttpServer } from '../../common/http-server.ts'
import { silentLogger } from '../../common/log.ts'
import { BodyBudget, withArriving, withBody, type ArrivingBody } from './body.ts'
import { answerOf } from './errors.ts'
import { openExchange } from './exchange.ts'
import { respond } from './respond.ts'

const maxBytes = 1_000
const budget = new BodyBudget(3_000)
/** What the last body that failed failed with. */
let failure: unknown = null
let failed = (): void => undefined

const server = new HttpServer({
  name: 'test',
  listen: { host: '127.0.0.1', port: 0 },
  clock: systemClock,
  log: silentLogger,
  handler: async (request, response) => {
    const exchange = openExchange(request, response, false)
    try {
      const body = await withBody(exchange, budget, async (bytes) => bytes.toString('utf8'), maxBytes)
      respond(exchange, 200, {}, body)
    } catch (error) {
      failure = error
      failed()
      if (response.destroyed) return
      const { status, headers, body } = answerOf(error, 'v1')
      respond(exchange, status, headers, body)
    }
  },
})
beforeAll(() => server.start())
afterAll(() => server.stop())

/** @param chunked sends the body without saying how long it is */
function post(
  body: Buffer | string,
  headers: Record<string, string> = {},
  chunked = false,
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const length = chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const sent = httpRequest(
      { host: '127.0.0.1', port: server.port, method: 'POST', headers: { ...headers, ...length } },
      (response) => {
        let text = ''
        response.on('data', (piece: Buffer) => (text += piece.toString()))
        response.on('end', () => resolve([response.statusCode!, text]))
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

const gzip = { 'content-encoding': 'gzip' }

describe('no body takes more memory than it may, and every refusal is an answer', () => {
  test.each([
    ['plain', 'x'.repeat(maxBytes), {}],
    ['compressed', gzipSync('x'.repeat(maxBytes)), gzip],
    ['empty', '', {}],
    ['an encoding that is none', 'x', { 'content-encoding': 'identity' }],
    ['gzip by its other names', gzipSync('x'), { 'content-encoding': 'X-GZip' }],
    ['two gzip members', Buffer.concat([gzipSync('x'), gzipSync('y')]), gzip],
  ])('taken: %s', async (_name, body, headers) => {
    expect((await post(body, headers))[0]).toBe(200)
    expect((await post(body, headers, true))[0]).toBe(200)
    expect(budget.usedBytes).toBe(0)
  })

  test.each([
    ['one byte too many', 'x'.repeat(maxBytes + 1), {}, 413],
    ['much too many', 'x'.repeat(5_000_000), {}, 413],
    ['a bomb', gzipSync('x'.repeat(50_000_000)), gzip, 413],
    ['what only decompressed is too much', gzipSync('x'.repeat(maxBytes + 1)), gzip, 413],
    ['what is no gzip', 'x', gzip, 400],
    ['half of a gzip', gzipSync('x'.repeat(maxBytes)).subarray(0, 15), gzip, 400],
    ['nothing as gzip', '', gzip, 400],
    ['a member behind zeros', Buffer.concat([gzipSync('x'), Buffer.alloc(3), gzipSync('y')]), gzip, 400],
    ['what is no gzip behind a member', Buffer.concat([gzipSync('x'), Buffer.from('yy')]), gzip, 400],
    ['an encoding that nobody undoes', 'x', { 'content-encoding': 'deflate' }, 415],
    ['one encoding upon another', gzipSync(gzipSync('x')), { 'content-encoding': 'gzip, gzip' }, 415],
  ])('refused: %s', async (_name, body, headers, status) => {
    expect((await post(body, headers))[0]).toBe(status)
    expect((await post(body, headers, true))[0]).toBe(status)
    expect(budget.usedBytes).toBe(0)
  })

  test('a body that is announced as too large is refused before any of it has come', async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => {
        socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n')
      })
      socket.once('data', (piece) => {
        socket.destroy()
        resolve(piece.toString())
      })
    })
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
  })

  test('when all bodies together are too much, one is told to come back', async () => {
    const others = budget.open()
    others.take(2_500)
    expect(await post('x'.repeat(600))).toEqual([503, '{"error":"too many bytes of requests in flight"}\n'])
    expect((await post('x'.repeat(400)))[0]).toBe(200)
    others.release()
    expect((await post('x'.repeat(600)))[0]).toBe(200)
  })

  test('what has been decompressed is not held beside what it came as', async () => {
    const text = randomBytes(1_000_000)
    const packed = gzipSync(text)
    const pieces = Array.from({ length: Math.ceil(packed.length / 16_384) }, (_, index) =>
      packed.subarray(index * 16_384, (index + 1) * 16_384),
    )
    const request = Object.assign(Readable.from(pieces), { headers: gzip }) as unknown as IncomingMessage
    const small = new BodyBudget(1_400_000)
    let heldBytes = 0
    const use = async (body: Buffer) => {
      heldBytes = small.usedBytes
      return body.equals(text)
    }
    const response = {} as ServerResponse
    expect(await withBody({ request, response }, small, use, 1_100_000)).toBe(true)
    expect(heldBytes).toBe(text.length)
    expect(small.usedBytes).toBe(0)
  })

  describe('while the rest is decompressed', () => {
    const sizeBytes = 3_000_000
    const text = Buffer.alloc(sizeBytes, 'm f=1 1\n')
    const roomy = new BodyBudget(2 * sizeBytes)
    const arrive = <T>(packed: Buffer, use: (body: ArrivingBody) => Promise<T>) => {
      const request = Object.assign(Readable.from([packed]), { headers: gzip }) as unknown as IncomingMessage
      return withArriving({ request, response: {} as ServerResponse }, roomy, use, sizeBytes)
    }

    test('what has come can be used, and nothing is missing in the end', async () => {
      const seen = await arrive(gzipSync(text), async (body) => {
        await body.arrived(1)
        const [early, first] = [body.isWhole, body.take()]
        await body.arrived(sizeBytes + 1)
        return { early, late: body.isWhole, all: Buffer.concat([...first, ...body.take()]) }
      })
      expect({ ...seen, all: seen.all.equals(text) }).toEqual({ early: false, late: true, all: true })
      expect(roomy.usedBytes).toBe(0)
    })

    test.each([
      ['damage at its end', (packed: Buffer) => (packed[packed.length - 8]! ^= 1), 'ERR_BODY_GZIP'],
      ['a byte too many', (packed: Buffer) => packed, 'ERR_BODY_TOO_LARGE'],
    ])('whoever waits for all of it is told of %s', async (_name, change, code) => {
      const packed = gzipSync(code === 'ERR_BODY_GZIP' ? text : Buffer.concat([text, Buffer.from('#')]))
      change(packed)
      const failed = arrive(packed, async (body) => {
        await body.arrived(1)
        expect(body.take().length).toBeGreaterThan(0)
        await body.whole()
      })
      await expect(failed).rejects.toMatchObject({ code })
      const waiting = arrive(packed, (body) => body.arrived(sizeBytes + 2))
      await expect(waiting).rejects.toMatchObject({ code })
      expect(roomy.usedBytes).toBe(0)
    })

    test('a refusal in between ends it', async () => {
      const refused = arrive(gzipSync(text), () => Promise.reject(new Error('refused')))
      await expect(refused).rejects.toThrow('refused')
      expect(roomy.usedBytes).toBe(0)
    })
  })

  test('a client that goes away in the middle leaves nothing behind', async () => {
    const gone = new Promise<void>((resolve) => (failed = resolve))
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nsome')
      socket.end()
      socket.destroySoon()
    })
    await gone
    expect(failure).toMatchObject({ code: 'ERR_BODY_CUT_SHORT' })
    expect(budget.usedBytes).toBe(0)
  })
})
