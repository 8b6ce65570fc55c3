import { describe, expect, test } from 'vitest'
import { requestHeaders, responseHeaders } from './headers.ts'

const own = { source: '203.0.113.9', requestId: 'r-1', protocol: 'https' } as const

describe('a node sees what concerns it, and of its client only what the gateway saw itself', () => {
  test('hop-by-hop headers, those that Connection names, and forged origins are gone', () => {
    const raw = Object.entries({
      Host: 'gateway',
      Authorization: 'Token t',
      'Content-Encoding': 'gzip',
      Connection: 'keep-alive, X-Private',
      'X-Private': 'secret',
      'Transfer-Encoding': 'chunked',
      'X-Forwarded-For': '127.0.0.1',
      Forwarded: 'for=127.0.0.1',
      'X-Real-IP': '127.0.0.1',
      Expect: '100-continue',
      Upgrade: 'h2c',
      'X-Request-Id': 'forged',
    }).flat()
    expect(requestHeaders(raw, 'keep-alive, X-Private', own)).toEqual([
      'authorization',
      'Token t',
      'content-encoding',
      'gzip',
      'x-forwarded-for',
      '203.0.113.9',
      'x-forwarded-proto',
      'https',
      'x-request-id',
      'r-1',
    ])
  })

  test('an answer keeps all but what is of its own connection', () => {
    expect(
      responseHeaders({
        'content-type': 'application/json',
        'x-influxdb-version': '1.8.10',
        connection: 'close, x-inner',
        'x-inner': '1',
        'keep-alive': 'timeout=5',
        'transfer-encoding': 'chunked',
        'set-cookie': ['a', 'b'],
        'x-holdfast-let-in': '1',
      }),
    ).toEqual({
      'content-type': 'application/json',
      'x-influxdb-version': '1.8.10',
      'set-cookie': ['a', 'b'],
    })
  })
})
