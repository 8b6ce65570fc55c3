import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../common/clock.ts'
import { idOfUid } from '../../common/ids.ts'
import { hashToken, parseToken } from '../../common/token.ts'
import { pathOf, resources } from '../../operator/kube/resource.ts'
import { OperatorBench, condition, database, organization, statusOf, token } from './operator-bench.ts'
import { eventually, soonMs } from './operator-harness.ts'

// The operator as a process with the chart's rights against a real API server, with the storage nodes' admin port
// stood in for: who may come in, and from when to when.

const kubeconfig = process.env['KUBECONFIG']

describe.skipIf(kubeconfig === undefined)('tokens (KUBECONFIG names the cluster)', () => {
  let bench: OperatorBench

  beforeAll(async () => {
    bench = await OperatorBench.open(kubeconfig!)
  })

  afterAll(() => bench.close())

  describe('tokens', () => {
    test('status holds the hash, the Secret the string, and nothing else knows it', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      const string = await bench.tokenString(namespace)
      const status = statusOf(await bench.get(resources.tokens, namespace, 'writer'))
      expect(status.tokens).toMatchObject([{ hash: hashToken(string) }])
      expect(bench.hashesOn(organizationId)).toEqual([hashToken(string)])
      const { body } = await bench.server.send('GET', pathOf(resources.events, { namespace }))
      const said =
        JSON.stringify([body, status]) + (await bench.operator.log()) + (await bench.operator.metrics())
      expect(said).not.toContain(string)
    })

    test('a Secret that is somebody else’s is never touched, and the Token says so', async () => {
      const namespace = await bench.newNamespace()
      const theirs = { token: Buffer.from('theirs').toString('base64') }
      const made = await bench.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'writer', namespace },
        type: 'Opaque',
        data: theirs,
      })
      await bench.apply(organization(namespace))
      await bench.apply(token(namespace))
      const refused = await bench.hasReason(resources.tokens, namespace, 'writer', 'SecretNotOurs')
      expect(condition(refused, 'Stalled')?.status).toBe('True')
      const found = await bench.becomesReady(resources.organizations, namespace, 'acme')
      expect(bench.hashesOn(idOfUid(found.metadata.uid!))).toEqual([])
      const secret = await bench.get(resources.secrets, namespace, 'writer')
      expect(secret?.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
      await bench.remove(resources.tokens, namespace, 'writer')
      await bench.isGone(resources.tokens, namespace, 'writer')
      expect((await bench.get(resources.secrets, namespace, 'writer'))?.['data']).toEqual(theirs)
    })

    test('deleting one ends it on the nodes within 2 s, and its Secret goes', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      expect(bench.hashesOn(organizationId)).toHaveLength(1)
      await bench.remove(resources.tokens, namespace, 'writer')
      await eventually('no node accepts it', 2_000, async () => bench.hashesOn(organizationId).length === 0)
      await bench.isGone(resources.tokens, namespace, 'writer', soonMs)
      await bench.isGone(resources.secrets, namespace, 'writer', soonMs)
    })

    test.each(['deleted', 'edited'])(
      'a Secret that was %s by hand is a new string, the old one ends',
      async (how) => {
        const { namespace, organizationId } = await bench.newTenant()
        const before = await bench.tokenString(namespace)
        if (how === 'deleted') await bench.remove(resources.secrets, namespace, 'writer')
        else {
          await bench.apply({
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: 'writer', namespace },
            data: { token: Buffer.from(before.replace(/......$/, 'AAAAAA')).toString('base64') },
          })
        }
        // Secrets are not watched: the operator looks at them again 10 s after its last look at the earliest.
        const after = await eventually('there is another string', 60_000, async () => {
          await bench.touch(resources.tokens, namespace, 'writer')
          const string = await bench.tokenString(namespace)
          return string !== before && parseToken(string) && string
        })
        await eventually('nodes accept the new string alone', soonMs, async () => {
          const hashes = bench.hashesOn(organizationId)
          return hashes.length === 1 && hashes[0] === hashToken(after)
        })
        const ready = await bench.becomesReady(resources.tokens, namespace, 'writer')
        expect(statusOf(ready).tokens).toMatchObject([{ hash: hashToken(after) }])
      },
    )

    test('one whose string was minted elsewhere has no Secret', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      const hash = 'a'.repeat(64)
      await bench.apply(token(namespace, { hash }, 'foreign'))
      await bench.becomesReady(resources.tokens, namespace, 'foreign')
      expect(bench.hashesOn(organizationId)).toContain(hash)
      expect(await bench.get(resources.secrets, namespace, 'foreign')).toBeNull()
      // Ages are told apart by the second.
      await systemClock.sleep(1_100)
      await bench.apply(token(namespace, { hash }, 'twin'))
      await bench.hasReason(resources.tokens, namespace, 'twin', 'TokenHashTaken')
    })

    test('a string that was given up is refused for ever, and keeps nothing else from being served', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      const hash = 'b'.repeat(64)
      await bench.apply(token(namespace, { hash }, 'given-up'))
      await bench.becomesReady(resources.tokens, namespace, 'given-up')
      await bench.remove(resources.tokens, namespace, 'given-up')
      await bench.isGone(resources.tokens, namespace, 'given-up', soonMs)
      await bench.apply(token(namespace, { hash }, 'revived'))
      await bench.hasReason(resources.tokens, namespace, 'revived', 'Revoked')
      await bench.apply(token(namespace, {}, 'another'))
      await bench.becomesReady(resources.tokens, namespace, 'another')
      expect(bench.hashesOn(organizationId)).toHaveLength(2)
      expect(bench.hashesOn(organizationId)).not.toContain(hash)
      await bench.becomesReady(resources.organizations, namespace, 'acme')
    })

    test('one that expires stays with the nodes, which know when, until it is deleted', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      // Long enough for it to have been seen ready before.
      await bench.apply(token(namespace, { expiresAfter: '15s' }, 'short'))
      await bench.becomesReady(resources.tokens, namespace, 'short')
      expect(bench.hashesOn(organizationId)).toHaveLength(2)
      const ended = await bench.hasReason(resources.tokens, namespace, 'short', 'Expired')
      expect(condition(ended, 'Stalled')?.status).toBe('True')
      expect(bench.hashesOn(organizationId)).toHaveLength(2)
      await bench.remove(resources.tokens, namespace, 'short')
      await eventually(
        'the nodes know one token',
        2_000,
        async () => bench.hashesOn(organizationId).length === 1,
      )
    })

    test('one for a database that is not there yet waits, and works for the others meanwhile', async () => {
      const { namespace, organizationId } = await bench.newTenant()
      const permissions = [
        { database: 'metrics', access: ['read'] },
        { database: 'later', access: ['read'] },
      ]
      await bench.apply(token(namespace, { permissions }, 'early'))
      await bench.hasReason(resources.tokens, namespace, 'early', 'DatabaseNotFound')
      expect(bench.hashesOn(organizationId)).toHaveLength(2)
      await bench.apply(database(namespace, {}, 'later'))
      await bench.becomesReady(resources.tokens, namespace, 'early')
    })
  })
})
