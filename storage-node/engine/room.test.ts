import { expect, test } from 'vitest'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { Room } from './room.ts'

/** Promise: a write waits for room, not longer than said, and takes it once. */

function roomOf(clock: FakeClock) {
  const buffers = { bytes: 0, fulls: 0 }
  const room = new Room({
    clock,
    shares: { flushBytes: 50, refuseBytes: 100, waitingBytes: 20 },
    bufferBytes: () => buffers.bytes,
    onFull: () => buffers.fulls++,
  })
  const outcomes: string[] = []
  const take = (name: string, bytes: number) =>
    void room.take(bytes).then(
      () => outcomes.push(name),
      (error: { code: string }) => outcomes.push(`${name} ${error.code}`),
    )
  return { room, buffers, outcomes, take }
}

test('one waits until the buffers have room, and one is told when they had none', async () => {
  const clock = new FakeClock()
  const { room, buffers, outcomes, take } = roomOf(clock)
  buffers.bytes = 95
  take('a', 10)
  take('b', 10)
  await clock.advance(9_000)
  expect(outcomes).toEqual([])
  expect(buffers.fulls).toBeGreaterThan(0)
  buffers.bytes = 85
  room.made()
  await clock.advance(1)
  expect(outcomes).toEqual(['a'])
  await clock.advance(1_000)
  expect(outcomes).toEqual(['a', 'b ERR_BUFFER_FULL'])
})

test('what waits for the log is bounded, and a batch larger than that goes alone', async () => {
  const clock = new FakeClock()
  const { room, outcomes, take } = roomOf(clock)
  take('large', 30)
  take('small', 10)
  await clock.advance(1)
  expect(outcomes).toEqual(['large'])
  room.giveBack(30)
  await clock.advance(1)
  expect(outcomes).toEqual(['large', 'small'])
  take('late', 11)
  await clock.advance(10_000)
  expect(outcomes).toEqual(['large', 'small', 'late ERR_LOG_BUSY'])
})

test('a batch larger than the buffers finds room when they are empty', async () => {
  await expect(roomOf(new FakeClock()).room.take(1_000)).resolves.toBeUndefined()
})

test('no more wait than their bytes may be', async () => {
  const clock = new FakeClock()
  const { buffers, outcomes, take } = roomOf(clock)
  buffers.bytes = 100
  take('first', 100)
  take('second', 1)
  await clock.advance(1)
  expect(outcomes).toEqual(['second ERR_BUFFER_FULL'])
})

test('a large batch has its turn beside small ones that keep coming', async () => {
  const clock = new FakeClock()
  const { room, outcomes, take } = roomOf(clock)
  take('a', 10)
  take('large', 30)
  take('b', 5)
  await clock.advance(1)
  expect(outcomes).toEqual(['a'])
  room.giveBack(10)
  await clock.advance(1)
  expect(outcomes).toEqual(['a', 'large'])
  room.giveBack(30)
  await clock.advance(1)
  expect(outcomes).toEqual(['a', 'large', 'b'])
})

test('one that gave up is not in the way of the others', async () => {
  const clock = new FakeClock()
  const { room, buffers, outcomes, take } = roomOf(clock)
  buffers.bytes = 95
  take('large', 10)
  await clock.advance(5_000)
  take('small', 5)
  await clock.advance(5_000)
  expect(outcomes).toEqual(['large ERR_BUFFER_FULL', 'small'])
  room.giveBack(5)
})

test('a thousand wait, no more', async () => {
  const clock = new FakeClock()
  const { buffers, outcomes, take } = roomOf(clock)
  buffers.bytes = 100
  for (let count = 0; count < 1_000; count++) take('waits', 0.01)
  take('too many', 0.01)
  await clock.advance(1)
  expect(outcomes).toEqual(['too many ERR_BUFFER_FULL'])
})
