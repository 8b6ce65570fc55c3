import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { queryRequestOf, readForm } from './query-request.ts'

const of = (url: string, form: string | null = null) =>
  queryRequestOf(new URLSearchParams(url), form === null ? null : new URLSearchParams(form))

describe('/query understands what InfluxDB 1.x clients send', () => {
  test('defaults', () => {
    expect(of('q=SHOW DATABASES')).toEqual({
      text: 'SHOW DATABASES',
      database: null,
      retentionPolicy: null,
      epoch: null,
      chunked: false,
      chunkSize: 10_000,
      async: false,
      parameters: {},
    })
  })

  test('the form of a POST comes before the URL', () => {
    expect(of('q=a&db=x&rp=r', 'q=b&epoch=ms')).toMatchObject({
      text: 'b',
      database: 'x',
      retentionPolicy: 'r',
      epoch: 'ms',
    })
  })

  test.each([
    ['', null],
    ['ms', 'ms'],
    ['u', 'u'],
    ['ns', 'ns'],
    ['n', 'ns'],
    ['nonsense', 'ns'],
  ])('epoch=%s is %s', (text, epoch) => {
    expect(of(`q=x&epoch=${text}`).epoch).toBe(epoch)
  })

  test.each([
    ['5', 5],
    ['0', 10_000],
    ['-1', 10_000],
    ['many', 10_000],
  ])('chunk_size=%s is %d', (text, size) => {
    expect(of(`q=x&chunked=true&chunk_size=${text}`)).toMatchObject({ chunked: true, chunkSize: size })
  })

  test('parameters: integers are exact, and null is none, as the Go client sends', () => {
    expect(of('q=x&params=null').parameters).toEqual({})
    expect(of('q=x&params={"i":9223372036854775807,"f":1.0,"s":"a","b":true}').parameters).toEqual({
      i: 9_223_372_036_854_775_807n,
      f: 1,
      s: 'a',
      b: true,
    })
  })

  test.each([
    ['no q', '', 'missing required parameter "q"'],
    ['blank q', 'q=%20%20', 'missing required parameter "q"'],
    ['params that are no JSON', 'q=x&params={', 'error parsing query parameters: JSON expected'],
    [
      'long params',
      `q=x&params={"a":"${'x'.repeat(100_000)}"}`,
      'error parsing query parameters: longer than 100000 characters',
    ],
    ['params that are no object', 'q=x&params=[1]', 'error parsing query parameters: a JSON object expected'],
  ])('refused: %s', (_name, url, message) => {
    expect(() => of(url)).toThrow(message)
  })

  test('a form has a thousand fields at most: the time to read them grows with their square', async () => {
    const request = {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    } as unknown as IncomingMessage
    const form = (fields: number) => readForm(request, Buffer.from(`${'a&'.repeat(fields - 1)}q=x`))
    expect((await form(1_000)).get('q')).toBe('x')
    await expect(form(1_001)).rejects.toThrow('a form of more than 1000 fields')
    await expect(form(10_000_000)).rejects.toThrow('a form of more than 1000 fields')
  })

  test('and so has one of several parts', async () => {
    const request = {
      headers: { 'content-type': 'multipart/form-data; boundary="-x y"' },
    } as unknown as IncomingMessage
    const part = (name: string) => `---x y\r\ncontent-disposition: form-data; name="${name}"\r\n\r\nx\r\n`
    const form = (fields: number) =>
      readForm(request, Buffer.from(`${part('a').repeat(fields - 1)}${part('q')}---x y--\r\n`))
    expect((await form(1_000)).get('q')).toBe('x')
    await expect(form(1_001)).rejects.toThrow('a form of more than 1000 fields')
  })
})
