import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { Reflector } from '../../operator/controller/reflector.ts'
import type { KubeClient, WatchEvent } from '../../operator/kube/client.ts'
import { openKubeClient } from '../../operator/kube/http-client.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { answer, KubeServer, status } from './kube-server.ts'

// The promise: whatever a line can do, a watch ends with what was wrong, having told all that came before.
let server: KubeServer
let client: KubeClient

beforeEach(async () => {
  server = await KubeServer.open()
  client = openKubeClient({ kubeconfig: server.kubeconfig })
})

afterEach(async () => {
  await client.close()
  await server.close()
})

const configMap = (more: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', namespace: 'ns', uid: 'u1', resourceVersion: '7' },
  ...more,
})

describe('watches', () => {
  const line = (type: string, object: unknown = configMap()): string =>
    `${JSON.stringify({ type, object })}\n`
  const never = new AbortController().signal

  async function collect(options: { readonly signal?: AbortSignal } = {}) {
    const events: WatchEvent[] = []
    const run = async () => {
      const watch = { resourceVersion: '7', timeoutSeconds: 300, signal: never, ...options }
      for await (const event of client.watch(resources.configMaps, watch)) events.push(event)
    }
    const error = await run().then(
      () => null,
      (thrown: unknown) => thrown,
    )
    return { types: events.map(({ type }) => type), error }
  }

  test('events in pieces of any size, with letters cut in two, until the server ends it', async () => {
    const text = line('ADDED', configMap({ data: { text: 'grün 🌱' } })) + line('BOOKMARK') + line('DELETED')
    server.handler = (_request, response) => {
      response.writeHead(200)
      for (const byte of Buffer.from(text)) response.write(Buffer.from([byte]))
      response.end()
    }
    expect(await collect()).toEqual({ types: ['ADDED', 'BOOKMARK', 'DELETED'], error: null })
    expect(server.received[0]?.query.toString()).toBe(
      'watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=300',
    )
  })

  test.each<[string, string, string]>([
    ['cut within a line', line('ADDED').slice(0, -20), 'ERR_KUBE_CUT'],
    ['a line that is not JSON', '<html>\n', 'ERR_KUBE_CUT'],
    ['a line that is no event', '{}\n', 'ERR_KUBE_CUT'],
    ['410 within the stream', line('ERROR', status(410, 'Expired', 'too old')), 'ERR_KUBE_EXPIRED'],
    ['500 within the stream', line('ERROR', status(500, 'InternalError', 'x')), 'ERR_KUBE'],
  ])('%s is an error of its kind, after the events before it', async (_name, text, code) => {
    server.handler = (_request, response) => response.end(line('ADDED') + text)
    expect(await collect()).toEqual({ types: ['ADDED'], error: expect.objectContaining({ code }) })
  })

  test('a connection that is reset in the middle is a cut', async () => {
    server.handler = (_request, response) => {
      response.write(line('ADDED'))
      setTimeout(() => response.socket?.destroy(), 20)
    }
    expect(await collect()).toEqual({
      types: ['ADDED'],
      error: expect.objectContaining({ code: 'ERR_KUBE_CUT' }),
    })
  })

  test('a line without an end does not fill the memory', async () => {
    let sentBytes = 0
    server.handler = (_request, response) => {
      const piece = Buffer.alloc(1024 * 1024, 'x')
      const write = () => {
        while (!response.destroyed && sentBytes < 64 * piece.length) {
          sentBytes += piece.length
          if (response.write(piece)) continue
          response.once('drain', write)
          return
        }
      }
      write()
    }
    expect((await collect()).error).toMatchObject({ code: 'ERR_KUBE_LINE_TOO_LARGE' })
    expect(sentBytes).toBeLessThan(40 * 1024 * 1024)
  })

  test('an abort ends a silent watch at once, with the reason', async () => {
    server.handler = (_request, response) => response.writeHead(200).flushHeaders()
    const abort = new AbortController()
    const reason = new Error('stop')
    setTimeout(() => abort.abort(reason), 50)
    expect(await collect({ signal: abort.signal })).toEqual({ types: [], error: reason })
  })

  test('a refused watch says why', async () => {
    server.handler = (_request, response) => answer(response, 403, status(403, 'Forbidden', 'not you'))
    expect((await collect()).error).toMatchObject({
      kind: 'forbidden',
      message: 'watch configmaps: 403 not you',
    })
  })

  test('a reflector finds out about a line that has gone silent, and goes on from there', async () => {
    const watched: (string | null)[] = []
    server.handler = ({ query }, response) => {
      if (query.get('watch') === null)
        return answer(response, 200, { metadata: { resourceVersion: '5' }, items: [configMap()] })
      watched.push(query.get('resourceVersion'))
      response.writeHead(200)
      // The first line says one thing and then nothing for ever, as a connection does whose other end is gone.
      const version = watched.length === 1 ? '8' : '9'
      response.write(
        line('MODIFIED', configMap({ metadata: { ...configMap().metadata, resourceVersion: version } })),
      )
    }
    // The reflector's own time, so that nothing is silent only because this machine is slow.
    const clock = new FakeClock()
    const silenceMs = 90_000
    const reflector = new Reflector({
      resource: resources.configMaps,
      client,
      clock,
      log: silentLogger,
      registry: new Registry(),
      random: () => 0,
      silenceMs,
    })
    const versions: unknown[] = []
    reflector.onChange((_before, after) => versions.push(after?.metadata.resourceVersion))
    await reflector.start()
    await expect.poll(() => versions).toContain('8')
    await clock.advance(silenceMs)
    // Back-off, for as long as it takes.
    await expect
      .poll(async () => {
        await clock.advance(250)
        return versions
      })
      .toContain('9')
    await reflector.stop()
    expect(watched.slice(0, 2)).toEqual(['5', '8'])
    expect(server.received.filter(({ query }) => query.get('watch') === null)).toHaveLength(1)
  })
})
