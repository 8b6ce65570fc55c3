import { expect, test } from 'vitest'
import { withoutFolders } from './disk.ts'

/** Promise: a text for tenants has the names of files, and no folder. */
test.each([
  [
    'IO Error: Cannot open file "/data/engine/files/1.parquet": No such file',
    'IO Error: Cannot open file "1.parquet": No such file',
  ],
  ['"/my data/engine/tmp/1.parquet"', '"1.parquet"'],
  [
    "ENOENT: no such file or directory, rename '/d/tmp/a' -> '/d/files/a'",
    "ENOENT: no such file or directory, rename 'a' -> 'a'",
  ],
  ['/data/manifest was renamed', 'manifest was renamed'],
  ['could not read /data/a and /data/b', 'could not read a and b'],
  ['12 rows/s, 1/2 done', '12 rows/s, 1/2 done'],
])('%s', (text, expected) => {
  expect(withoutFolders(text)).toBe(expected)
})
