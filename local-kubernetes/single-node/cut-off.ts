import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../scripts/run.ts'
import { NODE_ADDRESS } from './layout.ts'

const TABLE = 'holdfast_cut'
const NFT_TIMEOUT_MS = 10_000

/**
 * Keeps a pod from the API server for so long: one at a time, by a table of its own, which `down` takes away too.
 * @param how reset: what is open is cut and nothing new opens; silence: packets vanish both ways
 */
export async function cutOff(podAddress: string, how: 'reset' | 'silence', lastsMs: number): Promise<void> {
  await nft(cutOffRules(podAddress, how))
  try {
    await sleep(lastsMs)
  } finally {
    await nft(`delete table inet ${TABLE}\n`)
  }
}

/** The pod calls the API server by its Service: when packets reach these hooks, their destination is the node already. */
export function cutOffRules(podAddress: string, how: 'reset' | 'silence'): string {
  const verdict = how === 'reset' ? 'reject with tcp reset' : 'drop'
  const answers = how === 'reset' ? '' : `ip saddr ${NODE_ADDRESS} ip daddr ${podAddress} tcp sport 6443 drop`
  return `table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  chain calls {
    type filter hook input priority filter - 1; policy accept;
    ip saddr ${podAddress} ip daddr ${NODE_ADDRESS} tcp dport 6443 ${verdict}
  }
  chain answers {
    type filter hook output priority filter - 1; policy accept;
    ${answers}
  }
}
`
}

const nft = (input: string): Promise<string> =>
  run('nft', ['--file', '-'], { input, timeoutMs: NFT_TIMEOUT_MS })
