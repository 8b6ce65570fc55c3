import { open, readFile } from 'node:fs/promises'

const pieceBytes = 16 * 1024 * 1024

/**
 * Which of these a process has anywhere in its memory, read from `/proc/<pid>/mem`.
 * @param needles name and bytes of each
 */
export async function foundInMemory(
  pid: number,
  needles: Readonly<Record<string, Buffer>>,
): Promise<readonly string[]> {
  const found = new Set<string>()
  const longest = Math.max(...Object.values(needles).map(({ length }) => length))
  const memory = await open(`/proc/${pid}/mem`)
  try {
    for (const line of (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n')) {
      const range = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line)
      if (!range || line.includes('[v')) continue
      const [from, end] = [Number(`0x${range[1]}`), Number(`0x${range[2]}`)]
      // Pieces overlap, so that nothing is missed where two meet.
      for (let at = from; at < end; at += pieceBytes) {
        const piece = Buffer.alloc(Math.min(pieceBytes + longest, end - at))
        // What is mapped and was never touched cannot be read.
        const read = await memory.read(piece, 0, piece.length, at).catch(() => null)
        const bytes = piece.subarray(0, read?.bytesRead ?? 0)
        for (const [name, needle] of Object.entries(needles)) if (bytes.includes(needle)) found.add(name)
      }
    }
  } finally {
    await memory.close()
  }
  return [...found].sort()
}
