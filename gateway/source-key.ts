/** The key of a source address: an IPv6 customer has a whole /64, so that is what counts as one. */
export function sourceKey(address: string): string {
  const v4 = /^(?:::ffff:)?([0-9.]+)$/.exec(address)
  if (v4) return v4[1]!
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  const whole = [
    ...groups,
    ...Array<string>(Math.max(0, missing)).fill('0'),
    ...(tail ? tail.split(':') : []),
  ]
  return whole.slice(0, 4).join(':')
}
