import { describe, expect, test } from 'vitest'
import { AppError, type ErrorKind } from '../../common/errors.ts'
import { adminAnswerOf, answerOf, methodNotAllowed, notFound } from './errors.ts'

const error = (kind: ErrorKind, message = 'what', code: `ERR_${string}` = 'ERR_X') =>
  new AppError(kind, code, message)

describe('each dialect has the bodies, headers and codes that its clients look for', () => {
  test('v1: the error as JSON with a line end, and as a header', () => {
    expect(answerOf(error('not-found', 'database not found: "x"'), 'v1')).toEqual({
      status: 404,
      headers: { 'content-type': 'application/json', 'x-influxdb-error': 'database not found: "x"' },
      body: '{"error":"database not found: \\"x\\""}\n',
    })
  })

  test('v1: pretty and CSV where the client asks for them', () => {
    const refused = error('not-found', 'not found: "x"')
    const pretty = answerOf(refused, 'v1', { contentType: 'application/json', pretty: true })
    expect(pretty.body).toBe('{\n    "error": "not found: \\"x\\""\n}\n')
    const csv = answerOf(refused, 'v1', { contentType: 'text/csv', pretty: false })
    expect(csv.headers['content-type']).toBe('text/csv')
    expect(csv.body).toBe('error\n"not found: ""x"""\n')
  })

  test.each(['v1', 'v2'] as const)('%s: an encoding that nobody undoes is 415', (dialect) => {
    expect(answerOf(error('invalid', 'Content-Encoding', 'ERR_BODY_ENCODING'), dialect).status).toBe(415)
  })

  test('v1: 401 asks for credentials and says nothing else', () => {
    expect(answerOf(error('unauthenticated', 'the token expired'), 'v1')).toEqual({
      status: 401,
      headers: { 'content-type': 'application/json', 'www-authenticate': 'Basic realm="InfluxDB"' },
      body: '{"error":"authorization failed"}\n',
    })
  })

  test('v2: code and message, and the code as a header', () => {
    expect(answerOf(error('forbidden', 'insufficient permissions for write'), 'v2')).toEqual({
      status: 403,
      headers: { 'content-type': 'application/json; charset=utf-8', 'x-platform-error-code': 'forbidden' },
      body: '{"code":"forbidden","message":"insufficient permissions for write"}',
    })
    expect(answerOf(error('unauthenticated'), 'v2').body).toBe(
      '{"code":"unauthorized","message":"unauthorized access"}',
    )
  })

  test.each([
    ['invalid', 400, 400, 'invalid'],
    ['not-found', 404, 404, 'not found'],
    ['conflict', 409, 422, 'unprocessable entity'],
    ['too-large', 413, 413, 'request too large'],
    ['too-many-requests', 429, 429, 'too many requests'],
    ['unsupported', 501, 501, 'not implemented'],
    ['unavailable', 503, 503, 'unavailable'],
    ['corrupt', 500, 500, 'internal error'],
    ['internal', 500, 500, 'internal error'],
  ] as const)('%s', (kind, v1, v2, code) => {
    expect(answerOf(error(kind), 'v1').status).toBe(v1)
    expect(answerOf(error(kind), 'v2')).toMatchObject({
      status: v2,
      headers: { 'x-platform-error-code': code },
    })
  })

  test('who should come back is told when', () => {
    const kinds: ErrorKind[] = ['unavailable', 'too-many-requests', 'invalid', 'internal']
    expect(kinds.map((kind) => answerOf(error(kind), 'v1').headers['retry-after'])).toEqual([
      '2',
      '2',
      undefined,
      undefined,
    ])
  })

  test('what nobody foresaw does not reach the client', () => {
    const secret = 'hfd_secret in /var/lib/holdfast'
    for (const thrown of [new Error(secret), secret, error('internal', secret)]) {
      for (const answer of [answerOf(thrown, 'v1'), answerOf(thrown, 'v2'), adminAnswerOf(thrown)]) {
        expect(answer.status).toBe(500)
        expect(JSON.stringify(answer)).not.toContain('secret')
      }
    }
  })

  test('text that cannot be in a header is cut out of the header, not out of the body', () => {
    const answer = answerOf(error('invalid', "unable to parse 'ä\nb': <x>"), 'v1')
    expect(answer.headers['x-influxdb-error']).toBe("unable to parse '  b': <x>")
    expect(answer.body).toBe(`{"error":"unable to parse 'ä\\nb': \\u003cx\\u003e"}\n`)
  })

  test('a policy that is not there is the 500 of InfluxDB 1.8, which Telegraf knows', () => {
    const missing = error('not-found', 'retention policy not found: x', 'ERR_WRITE_POLICY_NOT_FOUND')
    expect(answerOf(missing, 'v1').status).toBe(500)
    expect(answerOf(missing, 'v2').status).toBe(404)
  })

  test('paths and methods that are not there', () => {
    expect(notFound('v1')).toMatchObject({ status: 404, body: '404 page not found\n' })
    expect(notFound('v2')).toMatchObject({ status: 404, headers: { 'x-platform-error-code': 'not found' } })
    expect(methodNotAllowed('v1', ['GET', 'POST'])).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST' },
    })
    expect(methodNotAllowed('v2', ['POST']).body).toBe(
      '{"code":"method not allowed","message":"allow: POST"}',
    )
  })

  test('a refused document is 422 on the admin port, and says why', () => {
    expect(adminAnswerOf(error('invalid', 'tokens: x is revoked', 'ERR_STATE_REVIVES_TOKEN'))).toMatchObject({
      status: 422,
      body: '{"code":"ERR_STATE_REVIVES_TOKEN","message":"tokens: x is revoked"}',
    })
    expect(adminAnswerOf(error('invalid', 'x', 'ERR_ADMIN_IF_MATCH')).status).toBe(400)
  })
})
