import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { generatedFiles, repositoryRoot, staleFiles } from './generate.ts'

// What is committed is what the schemas say.

test('no generated file is out of date', async () => {
  expect(await staleFiles(repositoryRoot)).toEqual([])
})

test('a file that was changed by hand, or is missing, is found', async () => {
  const root = await mkdtemp(join(tmpdir(), 'holdfast-generate-'))
  try {
    const files = [...generatedFiles()]
    const [first, content] = files[0]!
    await mkdir(dirname(join(root, first)), { recursive: true })
    await writeFile(join(root, first), content)
    expect(await staleFiles(root)).toEqual(files.slice(1).map(([path]) => path))
    await writeFile(join(root, first), `${content} `)
    expect(await staleFiles(root)).toContain(first)
  } finally {
    await rm(root, { recursive: true })
  }
})
