import { parseArgs } from 'node:util'
import * as z from 'zod'
import { AppError } from '../../common/errors.ts'

export const parts = ['ingest', 'queries', 'latency', 'size', 'startup'] as const
export type Part = (typeof parts)[number]
export const peers = ['influxdb', 'victoriametrics'] as const

export interface Options {
  readonly only: readonly Part[]
  readonly peers: readonly (typeof peers)[number][]
  readonly rounds: number
  readonly rows: number
  readonly writers: readonly number[]
  readonly memoryMib: number | null
  /** Nothing was chosen: the run whose figures are kept. */
  readonly whole: boolean
}

const list = (text: string): readonly string[] => (text === 'none' ? [] : text.split(','))
const schema = z.object({
  only: z
    .string()
    .default(parts.join())
    .transform(list)
    .pipe(z.array(z.enum(parts))),
  peers: z
    .string()
    .default(peers.join())
    .transform(list)
    .pipe(z.array(z.enum(peers))),
  rounds: z.coerce.number().int().min(1).max(50).default(5),
  rows: z.coerce.number().int().min(5_000).max(5_000_000).default(300_000),
  writers: z
    .string()
    .default('1,4,16')
    .transform((text) => list(text).map(Number))
    .pipe(z.array(z.int().min(1))),
  'memory-mib': z.coerce.number().int().min(64).optional(),
})

/**
 * --only ingest,queries,latency,size,startup --peers influxdb,victoriametrics|none --rounds N --rows N --writers 1,4,16 --memory-mib N
 * @throws AppError invalid, ERR_BENCH_OPTIONS, naming what is wrong
 */
export function parseOptions(args: readonly string[]): Options {
  const names = Object.keys(schema.shape)
  try {
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
    })
    const { 'memory-mib': memoryMib, ...chosen } = schema.parse(values)
    return { ...chosen, memoryMib: memoryMib ?? null, whole: args.length === 0 }
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    throw new AppError('invalid', 'ERR_BENCH_OPTIONS', `options of the benchmark: ${message}`)
  }
}
