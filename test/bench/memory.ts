import { mebibytes } from './figures.ts'
import type { Memory } from './process-group.ts'
import type { Line, Table } from './report.ts'
import { settled } from './run.ts'
import type { Server, ServerName } from './server.ts'

const sampleMs = 100

/**
 * Samples the memory of all servers until asked for the figures.
 * @param servers looked at anew each time, so a server may be put in the place of one that was restarted
 */
export function watchMemory(servers: readonly Server[]) {
  const now = () => Promise.all(servers.map((server) => server.group.memory(server.pid)))
  const before = now()
  let peaks: readonly Memory[] = []
  let sampling = false
  const sample = async (): Promise<void> => {
    if (sampling) return
    sampling = true
    peaks = (await now()).map((memory, index) => greater(memory, peaks[index]))
    sampling = false
  }
  const timer = setInterval(() => void sample(), sampleMs)
  return {
    /** @param what the load was */
    async lines(what: string): Promise<readonly Line[]> {
      clearInterval(timer)
      await settled(servers)
      return [
        line(servers, `before ${what}`, await before),
        line(servers, `peak, ${what}`, peaks),
        line(servers, `after ${what}`, await now()),
      ]
    },
    stop: () => clearInterval(timer),
  }
}

export const memoryTable = (title: string, lines: readonly Line[]): Table => ({
  title,
  unit: 'MiB: anonymous, working set',
  better: 'less',
  lines,
  notes: [
    'Private anonymous memory of all processes of a server, and their working set as a kubelet counts it.',
  ],
})

function greater(memory: Memory, peak: Memory | undefined): Memory {
  if (peak === undefined) return memory
  const { workingSetBytes } = memory
  return {
    anonymousBytes: Math.max(memory.anonymousBytes, peak.anonymousBytes),
    workingSetBytes: workingSetBytes === null ? null : Math.max(workingSetBytes, peak.workingSetBytes ?? 0),
  }
}

function line(servers: readonly Server[], what: string, memories: readonly Memory[]): Line {
  const figures = servers.map(({ kind }, index): readonly [ServerName, Line['figures'][ServerName]] => {
    const memory = memories[index]
    if (memory === undefined) return [kind.name, undefined]
    const { anonymousBytes, workingSetBytes } = memory
    const text = `${mebibytes(anonymousBytes)}, ${mebibytes(workingSetBytes)}`
    return [kind.name, { value: anonymousBytes, text }]
  })
  return { what, figures: Object.fromEntries(figures.filter(([, figure]) => figure !== undefined)) }
}
