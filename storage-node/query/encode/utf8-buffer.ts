const firstSize = 4_096
const pieceSize = 65_536

/** Beyond this many characters the runtime's own conversion is faster than one character at a time. */
const shortLength = 40

/** A text of numbers and names that grows in UTF-8, in pieces, so that nothing of it is copied to grow. */
export class Utf8Buffer {
  #full: Buffer[] = []
  #fullLength = 0
  #piece: Buffer = Buffer.allocUnsafe(firstSize)
  #at = 0

  /** Bytes that are waiting to be taken. */
  get length(): number {
    return this.#fullLength + this.#at
  }

  /** All there is, in order; then there is nothing. */
  take(): readonly Buffer[] {
    const pieces = this.#at > 0 ? [...this.#full, this.#piece.subarray(0, this.#at)] : this.#full
    this.#piece = this.#piece.subarray(this.#at)
    this.#full = []
    this.#fullLength = 0
    this.#at = 0
    return pieces
  }

  /** Forgets what came after the first `length` bytes. */
  truncate(length: number): void {
    while (length < this.#fullLength) {
      const last = this.#full.pop()!
      this.#fullLength -= last.length
      this.#piece = last
      this.#at = last.length
    }
    this.#at = length - this.#fullLength
  }

  byte(byte: number): void {
    if (this.#at === this.#piece.length) this.#grow(1)
    this.#piece[this.#at++] = byte
  }

  bytes(bytes: Uint8Array): void {
    if (this.#piece.length - this.#at < bytes.length) this.#grow(bytes.length)
    this.#piece.set(bytes, this.#at)
    this.#at += bytes.length
  }

  text(text: string): void {
    const { length } = text
    if (this.#piece.length - this.#at < length * 3) this.#grow(length * 3)
    const start = this.#at
    if (length <= shortLength) {
      const piece = this.#piece
      let i = 0
      for (; i < length; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 0x7f) break
        piece[start + i] = unit
      }
      if (i === length) {
        this.#at = start + length
        return
      }
    }
    this.#at = start + this.#piece.write(text, start)
  }

  /** A number as `String` gives it, and the sign of zero. */
  number(value: number): void {
    if ((value | 0) !== value) this.text(String(value))
    else if (Object.is(value, -0)) this.text('-0')
    else this.#whole(value)
  }

  #whole(value: number): void {
    if (this.#piece.length - this.#at < 11) this.#grow(11)
    const piece = this.#piece
    let at = this.#at
    let rest = value
    if (rest < 0) {
      piece[at++] = 45
      rest = -rest
    }
    let digits = 1
    for (let limit = 10; digits < 10 && rest >= limit; limit *= 10) digits++
    this.#at = at + digits
    for (let i = at + digits - 1; i >= at; i--) {
      const next = Math.floor(rest / 10)
      piece[i] = 48 + rest - next * 10
      rest = next
    }
  }

  #grow(needed: number): void {
    if (this.#at > 0) this.#full.push(this.#piece.subarray(0, this.#at))
    this.#fullLength += this.#at
    this.#piece = Buffer.allocUnsafe(Math.max(pieceSize, needed))
    this.#at = 0
  }
}
