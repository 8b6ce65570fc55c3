import { access, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { run } from './run.ts'
import { ensurePrograms } from './system-packages.ts'

/** Must be the version of DuckDB that @duckdb/node-api brings: DuckDB refuses any other. */
export const duckdbVersion = '1.5.5'
const fileName = 'httpfs.duckdb_extension'

/** Takes the file out of a wheel, which is a zip archive, with what Python itself has. */
const extract = `
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
name = next(n for n in archive.namelist() if n.endswith('/${fileName}'))
open(sys.argv[2], 'wb').write(archive.read(name))
`

/**
 * DuckDB's httpfs extension, without which it cannot write encrypted Parquet. DuckDB would fetch it from a server of
 * its own; the same file, signed by DuckDB, is in a Python package.
 * @returns the path of the file; `HOLDFAST_DUCKDB_EXTENSION` overrides it
 */
export async function ensureDuckdbExtension(): Promise<string> {
  const given = process.env['HOLDFAST_DUCKDB_EXTENSION']
  if (given) {
    await access(given)
    return given
  }
  const folder = await cached(
    'duckdb-extension',
    [duckdbVersion, process.platform, process.arch],
    async (draft) => {
      await ensurePrograms(['pip'])
      const download = await mkdtemp(join(draft, 'wheel-'))
      const wanted = `duckdb-extension-httpfs==${duckdbVersion}`
      await run('python3', [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--only-binary=:all:',
        '--dest',
        download,
        wanted,
      ])
      const [wheel] = await readdir(download)
      if (wheel === undefined) throw new Error(`${wanted}: nothing was downloaded`)
      await run('python3', ['-c', extract, join(download, wheel), join(draft, fileName)])
      await rm(download, { recursive: true })
    },
  )
  return join(folder, fileName)
}
