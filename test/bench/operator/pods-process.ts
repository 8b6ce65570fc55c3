import { messageOf } from '../../../common/errors.ts'
import { Pods } from './pods.ts'
import type { PodsAnswer, PodsOrder } from './pods-player.ts'

/* The pods of all tenants, in a process of its own: node pods-process.ts <kubeconfig> <installation id>. */
const [kubeconfig = '', installationId = ''] = process.argv.slice(2)
const answer = (given: PodsAnswer) => process.send?.(given)

const pods = await Pods.open(kubeconfig, installationId, (error) => {
  console.error(messageOf(error))
  process.exit(1)
})

async function obey(order: PodsOrder): Promise<void> {
  if (order.kind === 'mark') pods.mark()
  else if (order.kind === 'crash') pods.crash(order.count)
  else if (order.kind === 'mend') await pods.mend()
  else if (order.kind === 'close') await pods.close()
}

process.on('message', (order: PodsOrder) => {
  obey(order).then(
    () => {
      answer({ asked: pods.asked() })
      if (order.kind === 'close') process.disconnect()
    },
    (error: unknown) => answer({ error: messageOf(error) }),
  )
})
answer({ asked: pods.asked() })
