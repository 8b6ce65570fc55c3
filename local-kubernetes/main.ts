import { messageOf } from '../common/errors.ts'
import { progressOnStderr, spanOf } from '../scripts/run.ts'
import { openCluster } from './open-cluster.ts'

/** `npm run cluster -- up|down|status`; which cluster is said by CLUSTER=current|kind|local. */
const [command] = process.argv.slice(2)
const startedMs = performance.now()
const span = () => `[${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s]`
const progress = (line: string) => progressOnStderr(`${span()} ${line}`)

try {
  const cluster = await openCluster(process.env['CLUSTER'])
  switch (command) {
    case 'up':
      await cluster.up(progress)
      console.log(`${cluster.kubectl} --kubeconfig ${cluster.kubeconfig}`)
      break
    case 'down':
      await cluster.down(progress)
      progress(`down after ${spanOf(performance.now() - startedMs)}`)
      break
    case 'status': {
      const up = await cluster.isUp()
      console.log(`${cluster.kind}: ${up ? 'up' : 'not up'}`)
      process.exitCode = up ? 0 : 1
      break
    }
    default:
      progressOnStderr('usage: npm run cluster -- up|down|status')
      process.exitCode = 2
  }
} catch (error) {
  progress(messageOf(error))
  process.exitCode = 1
}
