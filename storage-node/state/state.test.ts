import { describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { silentLogger } from '../../common/log.ts'
import { inFormat, stateDocumentSchema1 } from '../../common/state-document-formats.ts'
import {
  nothingBeside,
  stateDigest,
  type StateDocument,
  type TokenState,
} from '../../common/state-document.ts'
import { mintToken } from '../../common/token.ts'
import { Keyring } from '../crypto/keyring.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { adminTokenState, aloneCommands, deleteForgotten, firstDocument, type DataDisposal } from './alone.ts'
import { documentIn, judgeSuccessor, readStateDocument } from './judge.ts'
import { sealedStateFile } from './state-file.ts'
import { StateStore, type StateFile } from './state-store.ts'

const own = 'aaaaaaaaaaaaaaaa'
const document = (...tokens: TokenState[]): StateDocument => ({ ...firstDocument(own), tokens })
const newToken = () => adminTokenState(mintToken(own))

describe('a document that is not whole and for this organization is refused', () => {
  const database = {
    id: '0000000000000001',
    name: 'metrics',
    retentionPolicies: [{ name: 'autogen', durationNs: '0', shardDurationNs: '604800000000000' }],
    defaultRetentionPolicy: 'autogen',
    limits: { series: null, fieldsPerMeasurement: 10 },
  }
  const good = document(newToken())
  test.each([
    ['not an object', null, /document/],
    ['an unknown key', { ...good, extra: 1 }, /extra/],
    ['another version', { ...good, formatVersion: 3 }, /formatVersion/],
    ['a name twice', { ...good, databases: [database, { ...database, id: '0000000000000002' }] }, /1\.name/],
    ['an id twice', { ...good, databases: [database, { ...database, name: 'x' }] }, /1\.id/],
    [
      'a policy twice',
      {
        ...good,
        databases: [
          { ...database, retentionPolicies: [...database.retentionPolicies, ...database.retentionPolicies] },
        ],
      },
      /retentionPolicies\.1/,
    ],
    ['an id that is not the hash', document({ ...newToken(), id: '0000000000000000' }), /tokens\.0\.id/],
  ])('%s', (_name, value, message) => {
    expect(() => readStateDocument(value)).toThrow(message)
  })

  const ways = good.authentication
  test.each([
    ['a shared secret for JWTs', { jwt: { keyIds: [own], maxLifetimeNs: '1' } }, 'authentication.jwt'],
    [
      'client certificates',
      { clientCertificates: { authorities: 'PEM' } },
      'authentication.clientCertificates',
    ],
  ])('a way in that this version would pass over: %s', (_what, way, place) => {
    const error = expect.objectContaining({
      code: 'ERR_STATE_NOT_ENFORCED',
      message: expect.stringMatching(`^${place}: version .* does not enforce it$`),
    })
    expect(() => readStateDocument({ ...good, authentication: { ...ways, ...way } })).toThrow(error)
  })

  test('members whom it would not know, but not audit lines that it would not write', () => {
    const members = [{ user: 'a', role: 'Viewer' }]
    expect(() => readStateDocument({ ...good, members })).toThrow(/^members: version/)
    const audit = { publicKey: Buffer.alloc(32).toString('base64') }
    expect(readStateDocument({ ...good, audit }).document.audit).toEqual(audit)
  })

  test.each([
    ['a document of format 2 without what travels beside it', good, /^document: /],
    [
      'one of format 1 with it',
      { document: inFormat(good, 1).document, beside: nothingBeside },
      /formatVersion/,
    ],
    ['nothing at all', null, /^document: /],
    [
      'a secret that it would not keep',
      { document: good, beside: { ...nothingBeside, secrets: { [own]: 'AAAA' } } },
      /^beside\.secrets: /,
    ],
    [
      'a moment likewise',
      { document: good, beside: { secrets: {}, issuerKeysAt: '2026-01-01T00:00:00Z' } },
      /^beside\.issuerKeysAt: /,
    ],
    ['anything else beside it', { document: good, beside: { ...nothingBeside, more: 1 } }, /^beside: .*more/],
  ])('a body with %s', (_what, body, message) => {
    expect(() => documentIn(body)).toThrow(message)
  })

  test('another organization', () => {
    expect(() => judgeSuccessor('bbbbbbbbbbbbbbbb', null, new Set(), good)).toThrow(/another organization/)
  })
})

/** What a volume would hold; `failing` makes it refuse. */
function memoryFile(): StateFile & { content: Uint8Array | null; failing: boolean } {
  return {
    content: null,
    failing: false,
    async read() {
      return this.content
    },
    async replace(content) {
      if (this.failing) throw new Error('disk full')
      this.content = content
    },
  }
}

async function newStore(file: StateFile, applied: StateDocument[] = []): Promise<StateStore> {
  const store = new StateStore({
    organizationId: own,
    file,
    onChange: async (next) => void applied.push(next),
    log: silentLogger,
  })
  await store.load()
  return store
}

describe('a revoked token stays revoked, whatever is pushed and however often the node starts', () => {
  test('a document that revives one is refused, also after a restart, and nothing changes', async () => {
    const [first, second] = [newToken(), newToken()]
    const file = memoryFile()
    const store = await newStore(file)
    await store.replace('', document(first, second))
    await store.replace(store.digest, document(second))
    await expect(store.replace(store.digest, document(first, second))).rejects.toThrow(first.id)
    expect(store.digest).toBe(stateDigest(document(second)))

    const restarted = await newStore(file)
    await expect(restarted.replace('', document(first))).rejects.toThrow(first.id)
    expect(restarted.inForce).toBeNull()
    await restarted.settle(0, systemClock)
    await expect(restarted.replace(restarted.digest, document(first))).rejects.toThrow(first.id)
    expect(restarted.digest).toBe(stateDigest(document(second)))
  })

  test('a token that goes missing in the first push after a restart is revoked too', async () => {
    const token = newToken()
    const file = memoryFile()
    await (await newStore(file)).replace('', document(token))
    const restarted = await newStore(file)
    await restarted.replace('', document())
    await expect(restarted.replace(restarted.digest, document(token))).rejects.toThrow(token.id)
  })
})

describe('a document is in force only when it is durable, by compare and set, one after another', () => {
  test('a digest that is not the one in force changes nothing', async () => {
    const applied: StateDocument[] = []
    const store = await newStore(memoryFile(), applied)
    expect(await store.replace('0'.repeat(64), document())).toBe(false)
    expect(await store.replace('', document())).toBe(true)
    expect(await store.replace('', document())).toBe(false)
    expect(applied).toHaveLength(1)
  })

  test('of two pushes at once that saw the same digest, one wins', async () => {
    const store = await newStore(memoryFile())
    const outcomes = await Promise.all([
      store.replace('', document(newToken())),
      store.replace('', document(newToken())),
    ])
    expect(outcomes.filter(Boolean)).toHaveLength(1)
  })

  test('what could not be kept is not in force', async () => {
    const file = memoryFile()
    const store = await newStore(file)
    file.failing = true
    await expect(store.replace('', document())).rejects.toThrow('disk full')
    expect(store.inForce).toBeNull()
    file.failing = false
    expect(await store.replace('', document())).toBe(true)
  })

  test('damage in what is kept is an error, not an empty start', async () => {
    const file = memoryFile()
    file.content = Buffer.from('{"document":{},"revokedTokenIds":[]}')
    await expect(newStore(file)).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

describe('from the version before and back to it', () => {
  const documentIn = (file: { readonly content: Uint8Array | null }): unknown =>
    (JSON.parse(Buffer.from(file.content!).toString()) as { document: unknown }).document
  const older = (of: StateDocument) => inFormat(of, 1).document

  test('the digest is that of the form that was sent; the same in another form is no other document', async () => {
    const pushed = document(newToken())
    const file = memoryFile()
    const store = await newStore(file)
    await store.replace('', older(pushed))
    expect(store.digest).toBe(stateDigest(older(pushed)))
    expect(store.inForce?.document).toEqual(pushed)
    file.failing = true
    await store.replace(store.digest, pushed)
    expect(store.digest).toBe(stateDigest(pushed))
    await store.replace(store.digest, older(pushed))
    expect(store.digest).toBe(stateDigest(older(pushed)))
  })

  test('what is kept can be read by the version before, as long as it has no limit that that does not know', async () => {
    const pushed = document(newToken())
    const file = memoryFile()
    const store = await newStore(file)
    await store.replace('', pushed)
    expect(stateDocumentSchema1.parse(documentIn(file))).toEqual(older(pushed))
    const restarted = await newStore(file)
    await restarted.settle(0, systemClock)
    expect(restarted.digest).toBe(stateDigest(pushed))

    const limited = { ...pushed, limits: { ...pushed.limits, requestsPerSecond: 5 } }
    await restarted.replace(restarted.digest, limited)
    expect(documentIn(file)).toEqual(limited)
    const again = await newStore(file)
    await again.settle(0, systemClock)
    expect(again.inForce?.document).toEqual(limited)
    await again.replace(again.digest, pushed)
    expect(stateDocumentSchema1.parse(documentIn(file))).toEqual(older(pushed))
  })

  test('an older document is refused in whatever form it comes', async () => {
    const [first, second] = [newToken(), newToken()]
    const store = await newStore(memoryFile())
    await store.replace('', older(document(first, second)))
    await store.replace(store.digest, document(second))
    for (const old of [document(first, second), older(document(first, second))])
      await expect(store.replace(store.digest, old)).rejects.toThrow(first.id)
    expect(store.digest).toBe(stateDigest(document(second)))
  })
})

describe('a restarted node waits for a push and then serves what it kept', () => {
  test('the kept document is served, and said to be so until the operator is heard of', async () => {
    const file = memoryFile()
    await (await newStore(file)).replace('', document())
    const restarted = await newStore(file)
    expect(restarted.inForce).toBeNull()
    expect(await restarted.settle(1, systemClock)).toBe(true)
    expect(restarted.servesKept).toBe(true)
    await restarted.replace(restarted.digest, document(newToken()))
    expect(restarted.servesKept).toBe(false)
  })

  test('a push ends the wait', async () => {
    const file = memoryFile()
    await (await newStore(file)).replace('', document())
    const restarted = await newStore(file)
    const settled = restarted.settle(3_600_000, systemClock)
    const pushed = document(newToken())
    await restarted.replace('', pushed)
    expect(await settled).toBe(true)
    expect(restarted.digest).toBe(stateDigest(pushed))
    expect(restarted.servesKept).toBe(false)
  })

  test('a node that never had one has none', async () => {
    expect(await (await newStore(memoryFile())).settle(1, systemClock)).toBe(false)
  })
})

describe('alone: a dropped database leaves nothing, whenever the process is killed', () => {
  /** Data as the engine has it; `killed` ends the process before any of it is deleted. */
  function data(...ids: string[]): DataDisposal & { readonly there: Set<string>; killed: boolean } {
    const there = new Set(ids)
    return {
      there,
      killed: false,
      databasesWithData: () => [...there],
      requireWritable: () => undefined,
      async dropDatabase(id) {
        if (this.killed) throw new Error('killed')
        there.delete(id)
      },
    }
  }

  test('a kill between the document and the data is made good at the next start', async () => {
    const file = memoryFile()
    const store = await newStore(file)
    await store.replace('', firstDocument(own))
    const disposal = data()
    const commands = aloneCommands(store, disposal)
    for (const name of ['a', 'b']) await commands.createDatabase(name, null)
    const [a, b] = store.inForce!.document.databases.map(({ id }) => id)
    for (const id of [a!, b!]) disposal.there.add(id)
    disposal.killed = true
    await expect(commands.dropDatabase('a')).rejects.toThrow('killed')
    disposal.killed = false

    const { kept } = await newStore(file)
    disposal.killed = true
    await deleteForgotten(kept, disposal, silentLogger)
    expect(disposal.there.size).toBe(2)
    disposal.killed = false
    await deleteForgotten(kept, disposal, silentLogger)
    expect([...disposal.there]).toEqual([b])
  })

  test('a database that cannot be deleted stays in sight', async () => {
    const store = await newStore(memoryFile())
    await store.replace('', firstDocument(own))
    const requireWritable = () => {
      throw new Error('the node is read-only')
    }
    const commands = aloneCommands(store, { ...data(), requireWritable })
    await commands.createDatabase('a', null)
    await expect(commands.dropDatabase('a')).rejects.toThrow('the node is read-only')
    expect(store.inForce!.document.databases.map(({ name }) => name)).toEqual(['a'])
  })

  test('a node that has lost its document deletes nothing', async () => {
    const disposal = data('0000000000000001')
    await deleteForgotten(null, disposal, silentLogger)
    expect(disposal.there.size).toBe(1)
  })
})

test('a document that a kill left not yet durable stays once it was read', async () => {
  const disk = new MemoryDisk()
  const file = () => sealedStateFile(disk, new Keyring(own, new Uint8Array(32)), '/data')
  await file().replace(Buffer.from('old'))
  disk.onStep = (step) => {
    if (step === 'sync-folder') throw new Error('killed')
  }
  await expect(file().replace(Buffer.from('new'))).rejects.toThrow('killed')
  disk.onStep = () => undefined
  expect(Buffer.from((await file().read())!).toString()).toBe('new')
  disk.powerLoss()
  expect(Buffer.from((await file().read())!).toString()).toBe('new')
})
