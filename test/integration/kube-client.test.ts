import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { AppError } from '../../common/errors.ts'
import type { KubeClient } from '../../operator/kube/client.ts'
import { openKubeClient, type KubeClientOptions } from '../../operator/kube/http-client.ts'
import type { KubeObject } from '../../operator/kube/object.ts'
import { resources } from '../../operator/kube/resource.ts'
import { CutProxy } from './cut-proxy.ts'
import { answer, KubeServer, status } from './kube-server.ts'

/*
 * The promise: over real TLS, the client opens few connections, ends every wait, repeats only what may be repeated,
 * and sends nothing that the fence refuses.
 */
let server: KubeServer
let client: KubeClient

function open(options: KubeClientOptions = {}): KubeClient {
  return openKubeClient({ kubeconfig: server.kubeconfig, random: () => 0, ...options })
}

beforeEach(async () => {
  server = await KubeServer.open()
  client = open()
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
const ref = { namespace: 'ns', name: 'a' }

/** Answers the first requests with what is given, the rest with an object. */
function script(...answers: readonly (readonly [number, unknown, Record<string, string>?])[]): void {
  let next = 0
  server.handler = (_request, response) => {
    const [code, body, headers] = answers[next++] ?? [200, configMap()]
    answer(response, code, body, headers)
  }
}

describe('connections', () => {
  test('100 requests in a row share two at most', async () => {
    script()
    for (let index = 0; index < 100; index += 1) await client.get(resources.configMaps, ref)
    expect(server.received).toHaveLength(100)
    expect(server.connections).toBeLessThanOrEqual(2)
  })

  test('100 requests at once share twelve at most', async () => {
    server.handler = (_request, response) => void setTimeout(() => answer(response, 200, configMap()), 5)
    await Promise.all(Array.from({ length: 100 }, () => client.get(resources.configMaps, ref)))
    expect(server.received).toHaveLength(100)
    expect(server.connections).toBeLessThanOrEqual(12)
  })

  test('a lease gets through while all other places are taken by requests that hang', async () => {
    const held: (() => void)[] = []
    server.handler = ({ path }, response) => {
      if (path.includes('leases')) answer(response, 200, configMap())
      else held.push(() => answer(response, 200, configMap()))
    }
    const hanging = Array.from({ length: 30 }, () => client.get(resources.configMaps, ref))
    const lease = await client.with({ priority: 'lease' }).get(resources.leases, ref)
    expect(lease).not.toBeNull()
    server.handler = (_request, response) => answer(response, 200, configMap())
    for (const release of held) release()
    await Promise.all(hanging)
  })

  test('after one that fell silent no other of its time is used', async () => {
    const proxy = await CutProxy.open(server.kubeconfig)
    // One that is answered must not take so long, on any machine.
    const proxied = open({ kubeconfig: proxy.kubeconfig, attemptTimeoutMs: 5_000 })
    const held: (() => void)[] = []
    server.handler = (_request, response) => {
      held.push(() => answer(response, 201, configMap()))
      if (held.length === 8) for (const release of held) release()
    }
    // A creation is sent once, so that each failure is seen.
    const createEight = () => Promise.all(Array.from({ length: 8 }, () => proxied.create(configMap())))
    await createEight()
    expect(server.connections).toBe(8)
    proxy.silence()
    server.handler = (_request, response) => answer(response, 201, configMap())
    await expect(proxied.create(configMap())).rejects.toMatchObject({ code: 'ERR_KUBE_CONNECTION' })
    expect(await createEight()).toHaveLength(8)
    await proxied.close()
    await proxy.close()
  })

  test('a token that was replaced on disk is taken up at the first refusal', async () => {
    server.handler = ({ authorization }, response) =>
      authorization === 'Bearer second'
        ? answer(response, 201, configMap())
        : answer(response, 401, status(401, 'Unauthorized', 'Unauthorized'))
    await expect(client.create(configMap())).rejects.toMatchObject({ kind: 'unauthenticated' })
    await server.setToken('second')
    await client.create(configMap())
    expect(server.received.map(({ authorization }) => authorization)).toEqual([
      'Bearer first',
      'Bearer first',
      'Bearer second',
    ])
  })

  test('a server whose certificate the kubeconfig does not vouch for is not spoken to', async () => {
    const other = await KubeServer.open()
    await server.trust(other)
    await other.close()
    await expect(client.create(configMap())).rejects.toMatchObject({ code: 'ERR_KUBE_CONNECTION' })
    expect([server.received.length, server.connections]).toEqual([0, 0])
  })
})

describe('requests', () => {
  test('each says what it means, in the content type that means it', async () => {
    script()
    const target = configMap()
    await client.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: ref, data: { a: '1' } })
    await client.patchStatus({ ...target, spec: { secret: 1 } }, { ready: true })
    await client.patchMetadata(target, { finalizers: ['x'], annotations: { gone: null } })
    await client.delete(target, { propagationPolicy: 'Foreground', unchanged: true })
    const path = '/api/v1/namespaces/ns/configmaps/a'
    const same = { name: 'a', namespace: 'ns', uid: 'u1', resourceVersion: '7' }
    expect(
      server.received.map(({ method, path, query, contentType, body }) => ({
        method,
        path,
        query: query.toString(),
        contentType,
        body,
      })),
    ).toEqual([
      {
        method: 'PATCH',
        path,
        query: 'fieldManager=holdfast&force=true',
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref, data: { a: '1' } },
      },
      {
        method: 'PATCH',
        path: `${path}/status`,
        query: 'fieldManager=holdfast&force=true',
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: same, status: { ready: true } },
      },
      {
        method: 'PATCH',
        path,
        query: 'fieldManager=holdfast',
        contentType: 'application/merge-patch+json',
        body: {
          metadata: { finalizers: ['x'], annotations: { gone: null }, uid: 'u1', resourceVersion: '7' },
        },
      },
      {
        method: 'DELETE',
        path,
        query: '',
        contentType: 'application/json',
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Foreground',
          preconditions: { uid: 'u1', resourceVersion: '7' },
        },
      },
    ])
  })

  test('without a uid nothing is deleted', async () => {
    const unseen = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref }
    await expect(client.delete(unseen)).rejects.toThrow('only what was read is deleted')
    expect(server.received).toEqual([])
  })

  test('a list comes in pages, with kinds that the items themselves do not say', async () => {
    server.handler = ({ query }, response) => {
      const { apiVersion: _, kind: __, ...item } = configMap()
      const rest = query.get('continue')
      answer(response, 200, {
        metadata: { resourceVersion: '42', ...(rest === null ? { continue: 'more' } : {}) },
        items: rest === null ? [item] : null,
      })
    }
    const list = await client.list(resources.configMaps, { namespace: 'ns', labelSelector: 'a=b' })
    expect(list).toEqual({ resourceVersion: '42', items: [configMap()] })
    expect(server.received.map(({ query }) => query.toString())).toEqual([
      'limit=500&labelSelector=a%3Db',
      'limit=500&labelSelector=a%3Db&continue=more',
    ])
  })

  test('a list whose snapshot expires begins anew', async () => {
    script(
      [200, { metadata: { resourceVersion: '1', continue: 'more' }, items: [configMap(), configMap()] }],
      [410, status(410, 'Expired', 'too old')],
      [200, { metadata: { resourceVersion: '2' }, items: [configMap()] }],
    )
    expect(await client.list(resources.configMaps)).toMatchObject({
      resourceVersion: '2',
      items: { length: 1 },
    })
  })
})

describe('failures', () => {
  test.each<[number, string, string, string]>([
    [400, 'BadRequest', 'invalid', 'ERR_KUBE_INVALID'],
    [403, 'Forbidden', 'forbidden', 'ERR_KUBE_FORBIDDEN'],
    [404, 'NotFound', 'not-found', 'ERR_KUBE_NOT_FOUND'],
    [409, 'Conflict', 'conflict', 'ERR_KUBE_CONFLICT'],
    [409, 'AlreadyExists', 'conflict', 'ERR_KUBE_ALREADY_EXISTS'],
    [410, 'Expired', 'unavailable', 'ERR_KUBE_EXPIRED'],
    [422, 'Invalid', 'invalid', 'ERR_KUBE_INVALID'],
  ])(
    '%i %s is %s, at the first attempt, in the words of the server',
    async (code, reason, kind, errorCode) => {
      script([code, status(code, reason, 'what is wrong')])
      await expect(client.create(configMap())).rejects.toMatchObject({
        kind,
        code: errorCode,
        message: `create configmaps ns/a: ${code} what is wrong`,
      })
      expect(server.received).toHaveLength(1)
    },
  )

  test('what the server says of a Secret is not passed on, only the fields at fault', async () => {
    const causes = [{ field: 'data[token]', message: 'Invalid value: "hunter2"' }]
    script([422, status(422, 'Invalid', 'Secret "a" is invalid: "hunter2"', { details: { causes } })])
    const secret = { ...configMap(), kind: 'Secret' }
    await expect(client.create(secret)).rejects.toMatchObject({
      message: 'create secrets ns/a: 422 Invalid (data[token])',
    })
  })

  test('get of what is not there is null, delete of it is done', async () => {
    script([404, status(404, 'NotFound', 'gone')], [404, status(404, 'NotFound', 'gone')])
    expect(await client.get(resources.configMaps, ref)).toBeNull()
    await client.delete(configMap())
  })

  test('429 is repeated after the time that the server asks for, creations too', async () => {
    script([429, status(429, 'TooManyRequests', 'slowly'), { 'retry-after': '1' }], [201, configMap()])
    const startMs = performance.now()
    await client.create(configMap())
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(995)
    expect(server.received).toHaveLength(2)
  })

  test('a server that asks for a long rest is left alone', async () => {
    script([429, status(429, 'TooManyRequests', 'later'), { 'retry-after': '60' }])
    await expect(client.get(resources.configMaps, ref)).rejects.toMatchObject({ kind: 'too-many-requests' })
    expect(server.received).toHaveLength(1)
  })

  test.each([500, 503, 504])('%i: an apply is repeated, a creation is not', async (code) => {
    script([code, status(code, 'X', 'x')], [code, undefined], [200, configMap()])
    await client.apply(configMap())
    expect(server.received).toHaveLength(3)
    script([code, status(code, 'X', 'x')])
    await expect(client.create(configMap())).rejects.toMatchObject({ kind: 'unavailable' })
    expect(server.received).toHaveLength(4)
  })

  test('a server that stays broken is given up after four attempts', async () => {
    server.handler = (_request, response) =>
      answer(response, 503, status(503, 'ServiceUnavailable', 'no etcd'))
    await expect(client.get(resources.configMaps, ref)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(server.received).toHaveLength(4)
  })

  test('a connection that is reset: a get is repeated, a creation is not', async () => {
    let resets = 0
    server.handler = (_request, response) => {
      if (resets++ % 2 === 0) response.socket?.destroy()
      else answer(response, 200, configMap())
    }
    expect(await client.get(resources.configMaps, ref)).not.toBeNull()
    await expect(client.create(configMap())).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'ERR_KUBE_CONNECTION',
    })
    expect(server.received).toHaveLength(3)
  })

  test('a server that never answers is given up in time', async () => {
    server.handler = () => undefined
    const impatient = open({ attemptTimeoutMs: 100 })
    await expect(impatient.create(configMap())).rejects.toMatchObject({ code: 'ERR_KUBE_CONNECTION' })
    await impatient.close()
  })

  test('who aborts gets the reason of the signal, at once, also while waiting for a retry', async () => {
    server.handler = (_request, response) =>
      answer(response, 503, status(503, 'X', 'x'), { 'retry-after': '9' })
    const abort = new AbortController()
    const reason = new AppError('unavailable', 'ERR_PASS_OVERDUE', 'overdue')
    const waiting = client.with({ signal: abort.signal }).get(resources.configMaps, ref)
    setTimeout(() => abort.abort(reason), 100)
    await expect(waiting).rejects.toBe(reason)
  })

  test('an answer that is not JSON is an error and no object', async () => {
    server.handler = (_request, response) => response.end('<html>')
    await expect(client.get(resources.configMaps, ref)).rejects.toMatchObject({ code: 'ERR_KUBE_ANSWER' })
  })
})

describe('the fence', () => {
  test('nothing that it refuses reaches the server, what it lets pass does', async () => {
    script()
    let held = true
    const fenced = client.with({
      fence: () => {
        if (!held) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'not the leader')
      },
    })
    await fenced.apply(configMap())
    held = false
    const writes = [
      () => fenced.apply(configMap()),
      () => fenced.create(configMap()),
      () => fenced.replace(configMap()),
      () => fenced.patchStatus(configMap(), {}),
      () => fenced.patchMetadata(configMap(), {}),
      () => fenced.delete(configMap()),
    ]
    for (const write of writes) await expect(write()).rejects.toMatchObject({ code: 'ERR_KUBE_FENCED' })
    expect(await fenced.get(resources.configMaps, ref)).not.toBeNull()
    expect(server.received.map(({ method }) => method)).toEqual(['PATCH', 'GET'])
  })

  test('it is asked again for a retry', async () => {
    let asked = 0
    script([503, status(503, 'X', 'x')])
    const fenced = client.with({
      fence: () => {
        asked += 1
        if (asked > 1) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'not the leader')
      },
    })
    await expect(fenced.apply(configMap())).rejects.toMatchObject({ code: 'ERR_KUBE_FENCED' })
    expect(server.received).toHaveLength(1)
  })

  test('it is asked when the connection stands, not when the request was made', async () => {
    script()
    const proxy = await CutProxy.open(server.kubeconfig)
    proxy.delayMs = 300
    const slow = open({ kubeconfig: proxy.kubeconfig })
    let held = true
    setTimeout(() => (held = false), 100)
    const write = slow
      .with({
        fence: () => {
          if (!held) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'not the leader')
        },
      })
      .apply(configMap())
    await expect(write).rejects.toMatchObject({ code: 'ERR_KUBE_FENCED' })
    expect(server.received).toEqual([])
    await slow.close()
    await proxy.close()
  })

  test('it is asked after the wait for a free place, not before', async () => {
    const held: (() => void)[] = []
    server.handler = ({ method }, response) => {
      if (method === 'GET') held.push(() => answer(response, 200, configMap()))
      else answer(response, 200, configMap())
    }
    const hanging = Array.from({ length: 11 }, () => client.get(resources.configMaps, ref))
    let leading = true
    const write = client
      .with({
        fence: () => {
          if (!leading) throw new AppError('unavailable', 'ERR_KUBE_FENCED', 'not the leader')
        },
      })
      .apply(configMap())
    leading = false
    while (held.length < 11) await systemClock.sleep(5)
    for (const release of held) release()
    await expect(write).rejects.toMatchObject({ code: 'ERR_KUBE_FENCED' })
    await Promise.all(hanging)
    expect(server.received.every(({ method }) => method === 'GET')).toBe(true)
  })
})
