import { cpus } from 'node:os'
import { mebibytes, quantile, short } from '../figures.ts'
import type { RequestCounts } from './audit.ts'
import type { Outcome, Trials } from './case.ts'
import { peers } from './peers.ts'
import { senders, type Ready } from './story.ts'
import type { Restarted } from './trials.ts'

/** One line of the table: what we measured in each size, what the peers were measured to do, and what is aimed at. */
interface Line {
  readonly what: string
  readonly ours: (outcome: Outcome) => string
  readonly peers?: readonly [prometheusOperator: string, certManager: string]
  readonly target?: string
}

const seconds = (ms: number): string => short(ms / 1_000)
const both = (all: readonly number[], text: (ms: number) => string): string =>
  `${text(quantile(all, 0.5))} / ${text(quantile(all, 0.99))}`
const whole = (ms: number): string => String(Math.round(ms))

const tried =
  (text: (trials: Trials, outcome: Outcome) => string) =>
  (outcome: Outcome): string =>
    outcome.trials ? text(outcome.trials, outcome) : ''

const restartLine = ({ requests }: Restarted): string =>
  `${requests.writes}, ${requests.conflicts}, ${requests.notFound}`

/** Of what came after the StatefulSets. */
const readied =
  (text: (ready: Ready, outcome: Outcome) => string) =>
  (outcome: Outcome): string =>
    outcome.created.ready ? text(outcome.created.ready, outcome) : ''

const each = (count: keyof RequestCounts) =>
  readied(({ requests }, { size }) => short(Number(requests[count]) / size.organizations))

const lines: readonly Line[] = [
  { what: 'all sent in, s', ours: ({ created }) => seconds(created.sentInMs), peers: ['2.0', '3.8'] },
  {
    what: 'sent to StatefulSet (peers: first child), p50 / p99, s',
    ours: ({ created }) => both(created.childMs, seconds),
    peers: peers.child,
  },
  {
    what: 'sent to Organization Ready, p50 / p99, s',
    ours: readied(({ organizationMs }) => both(organizationMs, seconds)),
    peers: peers.ready,
  },
  { what: 'sent to all of it Ready, p50 / p99, s', ours: readied(({ wholeMs }) => both(wholeMs, seconds)) },
  {
    what: 'all StatefulSets there, s',
    ours: ({ created }) => seconds(created.allChildrenMs),
    peers: peers.allChildren,
    target: '120 without members',
  },
  { what: 'all Ready, s', ours: readied(({ allMs }) => seconds(allMs)), peers: peers.allReady },
  {
    what: 'writes for one of them, events and statuses included',
    ours: each('writes'),
    peers: peers.writes,
    target: '60',
  },
  { what: 'reads for one', ours: each('reads'), peers: peers.reads },
  {
    what: 'conflicts, answers 404, other refusals in all',
    ours: readied(({ requests }) => `${requests.conflicts}, ${requests.notFound}, ${requests.refused}`),
    peers: peers.refusals,
    target: '0, 0',
  },
  {
    what: 'processor time until then, s',
    ours: ({ created }) => short(created.vitals.cpuSeconds),
    peers: peers.cpu,
  },
  {
    what: 'RSS then / at most, MiB',
    ours: ({ created: { vitals } }) => `${mebibytes(vitals.rssBytes)} / ${mebibytes(vitals.peakBytes)}`,
    peers: peers.rss,
    target: '256',
  },
  {
    what: 'event loop late meanwhile, p99 / most, ms',
    ours: ({ created: { vitals } }) => `${whole(vitals.delayP99Ms)} / ${whole(vitals.delayMaxMs)}`,
  },
  {
    what: 'idle: writes, reads, processor s a minute',
    ours: tried(({ idle }) => `${idle.requests.writes}, ${idle.requests.reads}, ${short(idle.cpuSeconds)}`),
    peers: peers.idle,
    target: '0 writes',
  },
  {
    what: 'RSS after the idle minute, MiB',
    ours: tried(({ idle }) => mebibytes(idle.vitals.rssBytes)),
    target: '256',
  },
  {
    what: 'edit to child changed, quiet, p50 / p99, ms',
    ours: tried(({ edited }) => both(edited.latenciesMs, whole)),
    peers: peers.edit,
    target: '150 / 300',
  },
  {
    what: 'writes for an edit',
    ours: tried(({ edited }) => short(edited.requests.writes / edited.latenciesMs.length)),
    peers: peers.editWrites,
    target: '3',
  },
  {
    what: 'restart: leads with full caches, s',
    ours: tried(({ restarted }) => seconds(restarted.leadsMs)),
  },
  {
    what: 'restart: every tenant compared and every node asked, s',
    ours: tried(({ restarted }) => seconds(restarted.verifiedMs)),
    peers: peers.restart,
    target: '15',
  },
  {
    what: 'restart: writes, conflicts, answers 404',
    ours: tried(({ restarted }) => restartLine(restarted)),
    peers: peers.restartWrites,
    target: '0, 0, 0',
  },
  {
    what: 'restart: processor s, RSS MiB',
    ours: tried(({ restarted: { vitals } }) => `${short(vitals.cpuSeconds)}, ${mebibytes(vitals.rssBytes)}`),
    peers: peers.restartCpu,
    target: '256 MiB',
  },
  {
    what: 'edit to child changed during that backlog, p50 / p99, ms (edits)',
    ours: tried(
      ({ editedMeanwhile: { latenciesMs } }) => `${both(latenciesMs, whole)} (${latenciesMs.length})`,
    ),
    target: '150 / 300',
  },
  {
    what: 'crash loops: writes a second for each crashing pod',
    ours: tried(({ crashed: { crashed, waited } }) =>
      short(waited.requests.writes / waited.seconds / crashed),
    ),
  },
  {
    what: 'crash loops: edit to child changed, p50 / p99, ms',
    ours: tried(({ crashed: { latenciesMs } }) => both(latenciesMs, whole)),
    target: '150 / 300',
  },
]

/** The section of docs/benchmarks.md that is about the operator. */
export function section(outcomes: readonly Outcome[], elapsedMs: number): string {
  const titles = outcomes.map(({ size, trials }) =>
    trials ? `${size.organizations}` : `${size.organizations} alone`,
  )
  const head = ['', ...titles, ...peers.titles, 'to be at most']
  const rows = lines.map(({ what, ours, peers: [first, second] = ['', ''], target = '' }) => [
    what,
    ...outcomes.map(ours),
    first,
    second,
    target,
  ])
  const table = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  const [processor] = cpus()
  return `## Control plane

Written by \`make bench-operator\` in a run of ${Math.round(elapsedMs / 60_000)} minutes on ${cpus().length} cores (${processor?.model.trim() ?? 'unknown'}), Node
${process.versions.node}, where it was the only load. Organizations with 3 Databases and 5 Tokens each ("alone": without), 10 in a namespace, sent in by
${senders} senders, on an etcd, an API server and a controller manager of their own, all on the same cores. The operator is bundled and started
as in its image, ${limitOf(outcomes)}within its admission policies. There is no kubelet: one process says that pods run and answers on the admin port of each, with
the tenant's own certificate. The controller manager may make 300 requests a second, or it would be what is measured; "alone", where nothing after the
StatefulSets is waited for, it has its default limits, as with the peers. Requests are counted by the API server's audit log, without the lease. An edit is one of \`spec.access.from\`; it counts
until its NetworkPolicy was seen to say so by a watch. A part of it, to the terminal alone: \`npm run bench-operator -- --organizations 10,100\`.

${peers.note}

${table}

${outcomes.map(writesOf).filter(Boolean).join('\n')}
`
}

function limitOf([first]: readonly Outcome[]): string {
  return first?.memoryLimitBytes ? `with a limit of ${mebibytes(first.memoryLimitBytes)} MiB of memory, ` : ''
}

/** What the writes of the creation were. */
const writesOf = readied(({ requests }, { size: { organizations } }) => {
  const parts = requests.writesOf.map(([what, count]) => `${what} ${short(count / organizations)}`)
  return `- Writes for one of ${organizations}: ${parts.join(', ')}.`
})
