import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'

/** A request of the operator, as the API server's audit log has it. */
export interface AuditedRequest {
  readonly verb: string
  /** With its subresource: `organizations/status`. */
  readonly resource: string
  readonly code: number
}

export interface RequestCounts {
  /** All that would change something, events and statuses included, refused ones too; without the lease. */
  readonly writes: number
  /** Of these, by verb and resource, most first. */
  readonly writesOf: readonly (readonly [what: string, count: number])[]
  readonly reads: number
  /** Answers 409 and 404, to reads too. */
  readonly conflicts: number
  readonly notFound: number
  /** All other answers of 400 and above. */
  readonly refused: number
}

const watching = new Set(['watch'])
const reading = new Set(['get', 'list'])

export function countRequests(requests: readonly AuditedRequest[]): RequestCounts {
  const counted = requests.filter(({ verb, resource }) => !watching.has(verb) && resource !== 'leases')
  const written = counted.filter(({ verb }) => !reading.has(verb))
  const byWhat = new Map<string, number>()
  for (const { verb, resource } of written) {
    const what = `${verb} ${resource}`
    byWhat.set(what, (byWhat.get(what) ?? 0) + 1)
  }
  const answered = (wanted: (code: number) => boolean) => counted.filter(({ code }) => wanted(code)).length
  return {
    writes: written.length,
    writesOf: [...byWhat].toSorted(([, a], [, b]) => b - a),
    reads: counted.length - written.length,
    conflicts: answered((code) => code === 409),
    notFound: answered((code) => code === 404),
    refused: answered((code) => code >= 400 && code !== 409 && code !== 404),
  }
}

/** @returns null for what is no whole entry of a request that was answered */
export function parseEntry(line: string): AuditedRequest | null {
  const entry = JSON.parse(line) as {
    readonly stage: string
    readonly verb: string
    readonly objectRef?: { readonly resource?: string; readonly subresource?: string }
    readonly responseStatus?: { readonly code?: number }
  }
  if (entry.stage !== 'ResponseComplete') return null
  const { resource = '', subresource } = entry.objectRef ?? {}
  return {
    verb: entry.verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    code: entry.responseStatus?.code ?? 0,
  }
}

/** What the service accounts of a control plane ask for: here the operator's is the only one. No proxy stands between. */
export class AuditLog {
  readonly #file: string
  readonly #policy: string
  #readBytes = 0
  #rest = ''

  private constructor(folder: string) {
    this.#file = join(folder, 'audit.log')
    this.#policy = join(folder, 'audit-policy.yaml')
  }

  static async create(folder: string): Promise<AuditLog> {
    const log = new AuditLog(folder)
    const policy = {
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived'],
      rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
    }
    await writeFile(log.#policy, stringify(policy))
    await writeFile(log.#file, '')
    return log
  }

  /** What the API server is to be started with. */
  get arguments(): readonly string[] {
    return [
      `--audit-policy-file=${this.#policy}`,
      `--audit-log-path=${this.#file}`,
      '--audit-log-maxsize=4096',
    ]
  }

  /** What was answered since this was called last. */
  async next(): Promise<readonly AuditedRequest[]> {
    const file = await open(this.#file)
    const requests: AuditedRequest[] = []
    try {
      for await (const chunk of file.createReadStream({ start: this.#readBytes, autoClose: false })) {
        this.#readBytes += (chunk as Buffer).length
        const lines = (this.#rest + (chunk as Buffer).toString('utf8')).split('\n')
        this.#rest = lines.pop() ?? ''
        for (const line of lines) {
          const request = line === '' ? null : parseEntry(line)
          if (request) requests.push(request)
        }
      }
    } finally {
      await file.close()
    }
    return requests
  }
}
