import * as z from 'zod'
import { openPort, probePort } from '../../common/attempts.ts'
import { systemClock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import { parseListenAddress } from '../../common/http-server.ts'
import { idleCollection } from '../../common/idle-collection.ts'
import { untilSignalled } from '../../common/lifecycle.ts'
import { createLogger } from '../../common/log.ts'
import { reach } from '../../common/reach.ts'
import { createProbe } from './probe.ts'

const address = z.string().transform((text, context) => {
  const parsed = parseListenAddress(text)
  if (parsed) return parsed
  context.addIssue({ code: 'custom', message: 'must be <address>:<port>' })
  return z.NEVER
})

const environmentSchema = z.object({
  HOLDFAST_LISTEN: address.prefault(`0.0.0.0:${probePort}`),
  HOLDFAST_OPEN_LISTEN: address.prefault(`0.0.0.0:${openPort}`),
  HOLDFAST_IDENTITY_DIR: z.string().min(1),
  HOLDFAST_LOG_LEVEL: z.enum(['error', 'warn', 'info', 'debug']).default('info'),
})

async function main(): Promise<void> {
  const environment = environmentSchema.parse(process.env)
  const log = createLogger('isolation-probe', { level: environment.HOLDFAST_LOG_LEVEL })
  const probe = createProbe(
    {
      listen: environment.HOLDFAST_LISTEN,
      openListen: environment.HOLDFAST_OPEN_LISTEN,
      identityDir: environment.HOLDFAST_IDENTITY_DIR,
    },
    { reach, clock: systemClock, log },
  )
  await probe.start()
  const collection = idleCollection(systemClock)
  await collection.start()
  log.info({ signal: await untilSignalled() }, 'stopping')
  await collection.stop()
  await probe.stop()
}

try {
  await main()
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}
