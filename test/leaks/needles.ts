/**
 * What a search for leaks looks for: secrets, each in every form in which a program may let it out.
 *
 * There are many of them and much to search, so of a text only those runs of characters are looked at that could hold one.
 */
export class Needles {
  readonly #forms: readonly (readonly [name: string, form: string])[]
  readonly #raw: readonly (readonly [name: string, bytes: string])[]

  /** @param secrets by the name that a find is told with */
  constructor(secrets: ReadonlyMap<string, Secret>) {
    const all = [...secrets]
    this.#forms = all.flatMap(([name, secret]) => formsOf(secret).map((form) => [name, form] as const))
    this.#raw = all.flatMap(([name, { bytes }]) => (bytes ? [[name, bytes.toString('latin1')] as const] : []))
  }

  get names(): readonly string[] {
    return [...new Set(this.#forms.map(([name]) => name))]
  }

  /** Names of the secrets that a text holds. @param text bytes as latin1, where it is a file's */
  heldBy(text: string): readonly string[] {
    const runs = (text.match(longRun) ?? []).join('\n')
    const held = [
      ...this.#forms.filter(([, form]) => runs.includes(form)),
      ...this.#raw.filter(([, bytes]) => text.includes(bytes)),
    ]
    return [...new Set(held.map(([name]) => name))]
  }
}

/** Longer than any form of a secret, so that one on the border of two parts of a file is whole in the second. */
export const overlapBytes = 4_096

export interface Secret {
  /** At least `shortest` characters of base64, base64url or hex. */
  readonly text: string
  /** What it says, where that is bytes. */
  readonly bytes?: Buffer
}

const shortest = 32
/** Every character that one of the forms may have. */
const longRun = /[\w+/=-]{32,}/g

/**
 * The secrets in a value of a Kubernetes Secret: of a PEM key its second line, 64 characters that occur nowhere else; of a file of
 * data keys each key, since lines that are logged are not lines any more. Nothing of what is too short to be one.
 */
export function secretsOf(value: string): readonly Secret[] {
  const lines = value.trim().split('\n')
  if (value.includes('PRIVATE KEY')) return [{ text: lines[1]! }]
  return lines
    .filter((line) => line.length >= shortest)
    .map((text) => {
      const bytes = Buffer.from(text, 'base64')
      const isKey = bytes.length === 32 && bytes.toString('base64') === text
      return { text, ...(isKey && { bytes }) }
    })
}

/**
 * As it stands; in base64, as a value of a Secret or a password of Basic, whatever comes before it there; and of bytes as hex
 * and base64url.
 */
function formsOf({ text, bytes }: Secret): readonly string[] {
  const encoded = [0, 1, 2].map((before) => {
    const whole = Buffer.from(' '.repeat(before) + text).toString('base64')
    // Without the characters that also say something of what comes before and behind.
    return whole.slice(before === 0 ? 0 : 4, 4 * Math.floor((before + text.length) / 3))
  })
  const others = bytes
    ? [bytes.toString('hex'), bytes.toString('hex').toUpperCase(), bytes.toString('base64url')]
    : []
  return [text, ...encoded, ...others]
}
