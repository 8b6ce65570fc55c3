import { getServers } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Attempt, Outcomes } from '../../common/attempts.ts'
import { systemClock } from '../../common/clock.ts'
import { AppError, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { reach } from '../../common/reach.ts'
import type { NodeAddress, Nodes } from '../node-client/node-client.ts'
import type { ClientIdentity } from '../node-client/peer.ts'
import type { Finding } from '../status/isolation.ts'
import { ProbeClient } from './probe-client.ts'
import { IsolationProver, type ProverOptions } from './prover.ts'
import { Surveyor, type Places } from './surroundings.ts'

export interface ProverParts {
  readonly places: Omit<Places, 'nameServer'>
  readonly nodes: Pick<Nodes, 'attempts'>
  readonly authority: { readonly installationId: string; readonly operatorIdentity: ClientIdentity }
  readonly log: Logger
  readonly tried: (outcome: Finding['state']) => void
  readonly onChange: ProverOptions['onChange']
}

/** The prover of an operator that runs in its cluster: its name server is the pods'. */
export function openProver({ places, nodes, authority, log, tried, onChange }: ProverParts): IsolationProver {
  const probe = new ProbeClient({
    identity: () => authority.operatorIdentity,
    installationId: authority.installationId,
    log,
  })
  const surveyor = new Surveyor({
    places: { ...places, nameServer: getServers().find((address) => isIP(address) !== 0) ?? null },
    triers: {
      fromNode: (node, attempts) => attemptsOfNode(nodes, log, node, attempts),
      fromProbe: (address, attempts) => probe.attempts(address, attempts),
    },
    resolve: async (host) => (await lookup(host).catch(() => null))?.address ?? null,
    reach,
    clock: systemClock,
  })
  return new IsolationProver({
    look: (subject, others) => surveyor.look(subject, others),
    onChange,
    clock: systemClock,
    random: Math.random,
    log,
    tried,
  })
}

async function attemptsOfNode(
  nodes: Pick<Nodes, 'attempts'>,
  log: Logger,
  node: NodeAddress,
  attempts: readonly Attempt[],
): Promise<Outcomes | 'unsupported' | null> {
  try {
    return await nodes.attempts(node, attempts)
  } catch (error) {
    if (error instanceof AppError && error.kind === 'unsupported') return 'unsupported'
    log.info(
      { organizationId: node.organizationId, reason: messageOf(error) },
      'a node did not try its paths',
    )
    return null
  }
}
