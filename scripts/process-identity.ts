import { readFileSync } from 'node:fs'

/**
 * What tells a running process from a later one that got the same number: the boot it belongs to and when it started.
 * Where the system has no `/proc` only the number is left, which is good enough for a lock that merely saves work.
 *
 * @returns undefined if no such process runs (a zombie does not run)
 */
export function processIdentity(pid: number): string | undefined {
  if (process.platform !== 'linux') return isRunning(pid) ? String(pid) : undefined
  try {
    const start = startTicks(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    return start === undefined ? undefined : `${pid} ${start} ${bootId()}`
  } catch {
    return undefined
  }
}

/** Whether the process that once had this identity still runs. */
export function isAlive(identity: string): boolean {
  const pid = Number(identity.split(' ', 1)[0])
  return Number.isSafeInteger(pid) && pid > 0 && processIdentity(pid) === identity
}

/** Changes with every start of the machine. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** Field 22 of proc_pid_stat(5), clock ticks since boot; the second field is in brackets and may hold anything. */
export function startTicks(stat: string): string | undefined {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
