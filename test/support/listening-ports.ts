import { readFile, readlink } from 'node:fs/promises'

/** `st` of a socket that listens, in /proc/<pid>/net/tcp: see Linux' Documentation/networking/proc_net_tcp.rst. */
const listening = '0A'

/** @param text of /proc/<pid>/net/tcp or tcp6 @returns ports on which something listens, whatever the address */
export function listeningIn(text: string): readonly number[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === listening)
    .map((fields) => Number.parseInt(fields[1]!.split(':').at(-1)!, 16))
}

/**
 * The TCP ports on which anything listens in the network of a process, its loopback addresses among them, ascending.
 * @throws Error where that is the network of this process, which would say nothing of a pod
 */
export async function listeningPorts(pid: number): Promise<readonly number[]> {
  const [own, its] = await Promise.all([readlink('/proc/self/ns/net'), readlink(`/proc/${pid}/ns/net`)])
  if (own === its) throw new Error(`process ${pid} is in the network of this machine`)
  const texts = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'utf8')))
  return [...new Set(texts.flatMap(listeningIn))].toSorted((a, b) => a - b)
}
