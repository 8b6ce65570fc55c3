import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../kube/object.ts'
import { ObjectStore } from './store.ts'

// The promise: the cache only ever moves forward, whatever repeats, overlaps or comes late.
const object = (name: string, resourceVersion: number, uid = 'u1'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'ns', uid, resourceVersion: String(resourceVersion) },
})
/** With a spec that somebody has changed. */
const edited = (resourceVersion: number): KubeObject => {
  const plain = object('a', resourceVersion)
  return { ...plain, metadata: { ...plain.metadata, generation: 2 } }
}
const text = (known: KubeObject | undefined): string =>
  known ? `${known.metadata.name}@${known.metadata.resourceVersion}` : '-'

function store(...items: readonly KubeObject[]) {
  const made = new ObjectStore((item) => item)
  made.replace(items, '10')
  const contents = () => made.list().map(text).sort()
  const told = (changes: ReturnType<ObjectStore['accept']>) =>
    changes.map(({ before, after }) => `${text(before)} -> ${text(after)}`)
  return { store: made, contents, told }
}

describe('events', () => {
  test('what two overlapping watches both tell counts once', () => {
    const { store: made, contents, told } = store()
    expect(told(made.accept('ADDED', object('a', 11)))).toEqual(['- -> a@11'])
    expect(told(made.accept('DELETED', object('a', 12)))).toEqual(['a@11 -> -'])
    expect(told(made.accept('ADDED', object('a', 11)))).toEqual([])
    expect(told(made.accept('DELETED', object('a', 12)))).toEqual([])
    expect(contents()).toEqual([])
  })

  test('resource versions are numbers, not words', () => {
    const { store: made, told } = store(object('a', 9))
    expect(told(made.accept('MODIFIED', object('a', 100)))).toEqual(['a@9 -> a@100'])
    expect(told(made.accept('MODIFIED', object('a', 99)))).toEqual([])
  })

  test('a new object under an old name is a removal, then an addition', () => {
    const { store: made, told } = store(object('a', 9))
    expect(told(made.accept('ADDED', object('a', 11, 'u2')))).toEqual(['a@9 -> -', '- -> a@11'])
  })

  test('the deletion of a predecessor does not remove what was observed since', () => {
    const { store: made, contents, told } = store(object('a', 9))
    made.observe(object('a', 13, 'u2'))
    expect(told(made.accept('DELETED', object('a', 12)))).toEqual([])
    expect(contents()).toEqual(['a@13'])
  })

  test('the deletion of what is not known is nothing', () => {
    const { store: made, told } = store()
    expect(told(made.accept('DELETED', object('a', 12)))).toEqual([])
    expect(made.resourceVersion).toBe('12')
  })
})

// What listeners compare must be what they were told before, or an edit just before a status of ours is no difference.
describe('the answers to our own writes', () => {
  test('are no difference when the watch comes to them', () => {
    const { store: made, told } = store(object('a', 5))
    made.observe(object('a', 11))
    made.observe(object('b', 12))
    made.observe(object('a', 13))
    expect(told(made.accept('MODIFIED', object('a', 11)))).toEqual([])
    expect(told(made.accept('ADDED', object('b', 12)))).toEqual(['b@12 -> b@12'])
    expect(told(made.accept('MODIFIED', object('a', 13)))).toEqual(['a@13 -> a@13'])
    expect(told(made.accept('MODIFIED', object('a', 14)))).toEqual(['a@13 -> a@14'])
    expect(told(made.accept('DELETED', object('b', 15)))).toEqual(['b@12 -> -'])
  })

  test('that the watch has told of before they came are told once', () => {
    const { store: made, told } = store(object('a', 5))
    expect(told(made.accept('MODIFIED', object('a', 11)))).toEqual(['a@5 -> a@11'])
    made.observe(object('a', 11))
    expect(told(made.accept('MODIFIED', object('a', 12)))).toEqual(['a@11 -> a@12'])
  })

  test('say of themselves that they may be ours, before and after their answer, and of nothing later', () => {
    const { store: made } = store(object('a', 5))
    const mayBeOurs = (version: number) =>
      made.accept('MODIFIED', object('a', version)).map((change) => change.mayBeOurs ?? false)
    expect(mayBeOurs(11)).toEqual([false])
    const ends = [made.writing('ns', 'a'), made.writing('ns', 'a')]
    ends[0]!()
    expect(mayBeOurs(12), 'one of two writes goes on').toEqual([true])
    ends[1]!()
    expect(mayBeOurs(13)).toEqual([false])
    made.observe(edited(14))
    expect(mayBeOurs(14)).toEqual([true])
    expect(mayBeOurs(15)).toEqual([false])
  })

  test('say so of nothing that was only read, nor of a removal, nor where the watch has passed what is not ours', () => {
    const mayBeOurs = (changes: ReturnType<ObjectStore['accept']>) =>
      changes.map((change) => change.mayBeOurs ?? false)
    const read = store(object('a', 5)).store
    read.observe(edited(12), false)
    expect(mayBeOurs(read.accept('MODIFIED', edited(12)))).toEqual([false])
    const passed = store(object('a', 5)).store
    passed.observe(edited(12))
    passed.accept('MODIFIED', object('a', 11))
    expect(mayBeOurs(passed.accept('MODIFIED', edited(12)))).toEqual([false])
    const listed = store(object('a', 5)).store
    listed.observe(edited(11))
    expect(mayBeOurs(listed.replace([edited(20)], '20'))).not.toContain(true)
    const removed = store(object('a', 5)).store
    removed.writing('ns', 'a')
    expect(mayBeOurs(removed.accept('DELETED', object('a', 12)))).toEqual([false])
  })

  test('hide nothing that somebody else changed just before', () => {
    const { store: made, told } = store(object('a', 5))
    made.observe(object('a', 13))
    expect(told(made.accept('MODIFIED', object('a', 12)))).toEqual([])
    expect(told(made.accept('MODIFIED', object('a', 13)))).toEqual(['a@5 -> a@13'])
    expect(told(made.accept('MODIFIED', object('a', 14)))).toEqual(['a@13 -> a@14'])
  })

  test.each<readonly [string, Partial<KubeObject['metadata']>]>([
    ['a spec', { generation: 2 }],
    ['a label', { labels: { a: 'b' } }],
    ['an annotation', { annotations: { a: 'b' } }],
    ['a deletion', { deletionTimestamp: '2026-01-01T00:00:00Z' }],
  ])('hide no edit of %s where they changed nothing themselves and bear its version', (_what, more) => {
    const edited = object('a', 12)
    const answer = { ...edited, metadata: { ...edited.metadata, ...more } }
    const { store: made, told } = store(object('a', 5))
    made.observe(answer)
    expect(told(made.accept('MODIFIED', answer))).toEqual(['a@5 -> a@12'])
  })

  test('are difference enough where the watch left them out and all is again as it was', () => {
    const { store: made, told } = store(object('a', 5))
    made.observe(object('a', 12), false)
    expect(told(made.accept('MODIFIED', object('a', 13)))).toEqual(['a@5 -> a@13', '- -> a@13'])
    made.observe(object('a', 15))
    expect(told(made.replace([object('a', 16)], '16'))).toEqual(['a@13 -> a@16', '- -> a@16'])
  })

  test('are difference enough where passes went by an edit among them that was taken back since', () => {
    const { store: made, told } = store(object('a', 5))
    const edited = (version: number, generation: number): KubeObject => {
      const answer = object('a', version)
      return { ...answer, metadata: { ...answer.metadata, generation } }
    }
    made.observe(edited(12, 2))
    made.observe(edited(14, 3))
    for (const line of [edited(11, 2), edited(12, 2), edited(13, 3)])
      expect(told(made.accept('MODIFIED', line))).toEqual([])
    expect(told(made.accept('MODIFIED', edited(14, 3)))).toEqual(['a@5 -> a@14', '- -> a@14'])
  })

  test('are remembered up to a number: what a watch that hangs tells of later counts as new', () => {
    const { store: made, told } = store(object('a', 5))
    for (let version = 11; version <= 50; version += 1) made.observe(object('a', version))
    for (let version = 11; version <= 49; version += 1)
      expect(told(made.accept('MODIFIED', object('a', version)))).toEqual([])
    expect(told(made.accept('MODIFIED', object('a', 50)))).toEqual(['a@5 -> a@50', '- -> a@50'])
    made.observe(object('a', 51))
    expect(told(made.accept('MODIFIED', object('a', 51)))).toEqual(['a@51 -> a@51'])
  })

  test('are no news where they bring only what is not kept', () => {
    const made = new ObjectStore(({ metadata: { labels: _dropped, ...metadata }, ...rest }) => ({
      ...rest,
      metadata,
    }))
    const labelled = (version: number): KubeObject => {
      const { metadata, ...rest } = object('a', version)
      return { ...rest, metadata: { ...metadata, labels: { a: 'b' } } }
    }
    made.accept('ADDED', labelled(11))
    made.observe(labelled(12))
    expect(
      made.accept('MODIFIED', labelled(12)).map(({ before, after }) => [text(before), text(after)]),
    ).toEqual([['a@12', 'a@12']])
  })

  test('but what was only read is news', () => {
    const { store: made, told } = store(object('a', 5))
    made.observe(object('a', 11), false)
    expect(told(made.accept('MODIFIED', object('a', 11)))).toEqual(['a@5 -> a@11'])
  })

  test.each([12, 13])('hide nothing where a list at version %i stands for the lines between', (listed) => {
    const { store: made, told } = store(object('a', 5))
    made.observe(object('a', 13))
    const all = [...told(made.replace([object('a', listed)], String(listed)))]
    all.push(...told(made.accept('MODIFIED', object('a', 13))))
    expect(all).toEqual(['a@5 -> a@13'])
  })

  test('hide nothing where a list at one of them stands for the lines before it', () => {
    const { store: made, told } = store(object('a', 5))
    made.observe(object('b', 11))
    made.observe(object('a', 12))
    made.observe(object('a', 14))
    made.observe(object('b', 15))
    expect(told(made.replace([object('a', 12), object('b', 13)], '13'))).toEqual([])
    expect(told(made.accept('MODIFIED', object('a', 14)))).toEqual(['a@5 -> a@14', '- -> a@14'])
    expect(told(made.accept('MODIFIED', object('b', 15)))).toEqual(['- -> b@15'])
  })
})

describe('lists', () => {
  test('differences and nothing else', () => {
    const { store: made, told } = store(
      object('gone', 1),
      object('same', 2),
      object('changed', 3),
      object('new', 4),
    )
    const list = [object('same', 2), object('changed', 15), object('new', 16, 'u2'), object('come', 17)]
    expect(told(made.replace(list, '20')).sort()).toEqual([
      '- -> come@17',
      '- -> new@16',
      'changed@3 -> changed@15',
      'gone@1 -> -',
      'new@4 -> -',
    ])
    expect([made.size, made.resourceVersion]).toEqual([4, '20'])
  })

  test('an older list neither removes nor undoes what is newer', () => {
    const { store: made, contents, told } = store(object('a', 5))
    made.observe(object('a', 12))
    made.observe(object('b', 13))
    expect(told(made.replace([object('a', 5)], '11'))).toEqual([])
    expect(contents()).toEqual(['a@12', 'b@13'])
  })
})

// As after a restore of etcd: numbers that were given already are given once more, to something else.
describe('a list that is older than what was told', () => {
  test('is all there is, and news', () => {
    const { store: made, contents, told } = store(object('a', 5), object('b', 6), object('gone', 7))
    made.accept('MODIFIED', object('a', 900))
    made.observe(object('b', 950))
    made.observe(object('mine', 951))
    const list = [object('a', 5), object('b', 6, 'u2'), object('new', 8)]
    expect(told(made.replace(list, '500'))).toEqual([
      'gone@7 -> -',
      'mine@951 -> -',
      'a@900 -> a@5',
      '- -> a@5',
      'b@6 -> -',
      '- -> b@6',
      '- -> b@6',
      '- -> new@8',
    ])
    expect([contents(), made.resourceVersion, made.size]).toEqual([['a@5', 'b@6', 'new@8'], '500', 3])
  })

  test('is where the watch goes on', () => {
    const { store: made, told } = store(object('a', 5))
    made.accept('MODIFIED', object('a', 900))
    made.replace([object('a', 5)], '500')
    expect(told(made.accept('MODIFIED', object('a', 501)))).toEqual(['a@5 -> a@501'])
    made.observe(object('a', 502))
    expect(made.get('ns', 'a')?.metadata.resourceVersion).toBe('502')
  })
})

test('a namespace that is empty again leaves nothing behind', () => {
  const { store: made } = store(object('a', 5))
  made.accept('DELETED', object('a', 11))
  expect([made.size, made.list('ns'), made.list()]).toEqual([0, [], []])
})
