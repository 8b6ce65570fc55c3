import { systemClock } from '../common/clock.ts'
import { messageOf } from '../common/errors.ts'
import { idleCollection } from '../common/idle-collection.ts'
import { untilSignalled } from '../common/lifecycle.ts'
import { createLogger } from '../common/log.ts'
import { parseGatewayConfig } from './config.ts'
import { createGateway } from './gateway.ts'
import { serviceTarget } from './target.ts'

async function main(): Promise<void> {
  const config = parseGatewayConfig(process.env)
  const log = createLogger('gateway', { level: config.logLevel })
  const gateway = createGateway(config, serviceTarget(config.clusterDomain), systemClock, log)
  await gateway.start()
  const collection = idleCollection(systemClock)
  await collection.start()
  const signal = await untilSignalled()
  log.info({ signal }, 'stopping')
  // Kubernetes takes the address out of the Service at the same time, and some still send to it for a moment.
  await systemClock.sleep(config.stopDelayMs)
  await collection.stop()
  await gateway.stop()
}

try {
  await main()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
