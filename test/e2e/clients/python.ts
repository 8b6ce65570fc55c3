import { join } from 'node:path'
import { run } from '../../../scripts/run.ts'
import { ensurePythonPackages } from '../../support/python-packages.ts'

/** The official InfluxDB clients. */
export const clientPackages = ['influxdb-client==1.50.0', 'influxdb==5.3.2']

export interface WriteCall {
  readonly call: 'write'
  readonly url: string
  readonly ca: string
  readonly token: string
  readonly org: string
  readonly bucket: string
  readonly lines: readonly string[]
}

export interface QueryCall {
  readonly call: 'query'
  readonly url: string
  readonly ca: string
  readonly token: string
  readonly user?: string
  readonly database: string
  readonly query: string
}

/** What the client made of it: points of a query, or the exception and the HTTP status that it carries. */
export interface Answer {
  readonly points?: readonly Readonly<Record<string, unknown>>[]
  readonly error?: string
  readonly status?: number | null
  readonly message?: string
}

/** One call with an official client, in a Python of its own. */
export async function callWithPython(call: WriteCall | QueryCall): Promise<Answer> {
  const output = await run('python3', [join(import.meta.dirname, 'influx.py')], {
    input: JSON.stringify(call),
    env: { PYTHONPATH: await ensurePythonPackages('python-clients', clientPackages) },
    timeoutMs: 60_000,
  })
  return JSON.parse(output) as Answer
}
