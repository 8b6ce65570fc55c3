import { setImmediate } from 'node:timers/promises'
import { openEngine, write } from './engine-support.ts'

/**
 * Writes for ever and says on standard output which points were acknowledged, and when some have come into files: the
 * process that the kill test kills.
 * Arguments: data folder, the first number to write.
 */
const [folder, first] = process.argv.slice(2)
const engine = await openEngine(folder!, { memoryLimitBytes: 64 * 1024 * 1024 })
const batchPoints = 200

async function writer(lane: number): Promise<never> {
  for (let number = Number(first); ; number += batchPoints) {
    const lines = Array.from(
      { length: batchPoints },
      (_, k) => `m,lane=${lane} v=${number + k},s="${number + k}" ${number + k}`,
    )
    await write(engine, lines.join('\n'))
    process.stdout.write(`${lane} ${number} ${number + batchPoints}\n`)
  }
}

async function flusher(): Promise<never> {
  // A flush of nothing does no I/O: without a turn of the event loop the writers would never get one.
  for (;;) {
    const before = engine.stats().checkpoint
    await engine.flush()
    if (engine.stats().checkpoint > before) process.stdout.write('flushed\n')
    await setImmediate()
  }
}

await Promise.all([writer(0), writer(1), writer(2), flusher()])
