import { writeToStandardError } from '../common/audit.ts'
import { systemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import { idleCollection } from '../common/idle-collection.ts'
import { chooseCollectorFlags, countBuffersAsHeap } from '../common/collector-flags.ts'
import { untilSignalled } from '../common/lifecycle.ts'
import { createLogger } from '../common/log.ts'
import { parseNodeConfig } from './config.ts'
import { lockFolder } from './disk/folder-lock.ts'
import { nodeDisk } from './disk/node-disk.ts'
import { createStorageNode } from './node.ts'
import { rotateKey } from './rotate-key.ts'

/** Kubernetes kills after 60 s; a node that ends itself before says why. */
const stopLimitMs = 50_000

async function main(): Promise<void> {
  const isRotation = process.argv[2] === 'rotate-key'
  const config = parseNodeConfig(process.argv.slice(isRotation ? 3 : 2), process.env)
  chooseCollectorFlags(config.memoryLimitBytes)
  countBuffersAsHeap(config.memoryLimitBytes)
  const log = createLogger('storage-node', { level: config.logLevel })
  const onFatal = (error: Error): void => {
    log.fatal({ err: error }, 'the state on disk is not known any more')
    process.exit(1)
  }
  const environment = {
    disk: nodeDisk,
    clock: systemClock,
    log,
    auditOutput: writeToStandardError,
    onFatal,
  }
  const release = await lockFolder(config.dataDir)
  if (isRotation) {
    await rotateKey(config, environment)
    return release()
  }
  const node = await createStorageNode(config, environment)
  const signalled = untilSignalled()
  await node.start()
  const collection = idleCollection(systemClock)
  await collection.start()
  const signal = await signalled
  log.info({ signal }, 'stopping')
  const overdue = setTimeout(() => {
    log.error({ stopLimitMs }, 'did not stop in time; the log holds what is not flushed')
    process.exit(1)
  }, stopLimitMs)
  await collection.stop()
  await node.stop()
  clearTimeout(overdue)
  release()
  log.info('stopped')
}

try {
  await main()
} catch (error) {
  console.error(messageOf(error))
  process.exit(1)
}
