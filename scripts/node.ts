import { ensureDuckdbExtension } from './duckdb-extension.ts'

/** `npm run node -- …`: a storage node alone, out of this work tree, with DuckDB's extension from the cache. */
process.env['HOLDFAST_DUCKDB_EXTENSION'] ??= await ensureDuckdbExtension()
await import('../storage-node/main.ts')
