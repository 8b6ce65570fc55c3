/** Bytes that are compared in steps of four: most of what a line says was said by the line before. */
export interface Text {
  readonly bytes: Buffer
  readonly view: DataView
}

export function textOf(bytes: Buffer): Text {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
}

/** Whether both hold the same `length` bytes; neither may end before. */
export function sameBytes(a: DataView, aFrom: number, b: DataView, bFrom: number, length: number): boolean {
  let at = 0
  for (; at + 4 <= length; at += 4)
    if (a.getInt32(aFrom + at, true) !== b.getInt32(bFrom + at, true)) return false
  for (; at < length; at++) if (a.getUint8(aFrom + at) !== b.getUint8(bFrom + at)) return false
  return true
}
