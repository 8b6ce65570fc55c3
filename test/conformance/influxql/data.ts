/** The points that recorded answers are about: seeded, so that every recording has the same. */

/** 2024-01-01T00:00:00Z, a Monday, when a week's shard starts: most data lies in one shard. */
export const startNs = 1_704_067_200_000_000_000n
const secondNs = 1_000_000_000n
const hourNs = 3_600n * secondNs

/** Numbers from 0 up to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

export function lineProtocol(): string {
  return [
    ...cpu(),
    ...memory(),
    ...weather(),
    ...events(),
    ...odd(),
    ...weeks(),
    ...clocks(),
    ...ties(),
  ].join('\n')
}

/** Every ten seconds of ten minutes, with gaps, on hosts of which one has no region. */
function* cpu(): Generator<string> {
  const next = random(7)
  const hosts = ['host=a,region=eu', 'host=b,region=us', 'host=c', 'host=d,region=eu', 'host=b,region=eu']
  for (const [h, tags] of hosts.entries()) {
    for (let i = 0; i < 60; i++) {
      if (next() < 0.2) continue
      const fields = [
        next() < 0.9 ? `usage=${(next() * 100).toFixed(3)}` : null,
        next() < 0.8 ? `idle=${next() * 100}` : null,
        next() < 0.9 ? `cores=${Math.floor(next() * 16) - 4}i` : null,
        next() < 0.5 ? `up=${next() < 0.5}` : null,
        next() < 0.5 ? `label="l${Math.floor(next() * 4)}"` : null,
      ].filter((field) => field !== null)
      if (fields.length === 0) continue
      const shift = h === 3 ? 3n : 0n
      yield `cpu,${tags} ${fields.join(',')} ${startNs + (BigInt(i) * 10n + shift) * secondNs}`
    }
  }
}

function* memory(): Generator<string> {
  const next = random(11)
  for (const host of ['a', 'b', 'e']) {
    for (let i = 0; i < 40; i++) {
      if (next() < 0.3) continue
      const time = startNs + BigInt(i) * 15n * secondNs
      yield `mem,host=${host} used=${Math.floor(next() * 1e9)}i,free=${next() * 1e9},usage=${(next() * 10).toFixed(1)} ${time}`
    }
  }
}

/** A tag and a field of one name, names that need quotes, and text that JSON escapes. */
function* weather(): Generator<string> {
  const next = random(13)
  for (const city of ['New\\ York', 'Zürich', 'a\\,b\\=c', '東京']) {
    for (let i = 0; i < 12; i++) {
      const time = startNs + BigInt(i) * hourNs
      yield `weather,city=${city},day=d${i % 3} temp=${(next() * 40 - 10).toFixed(1)},day=${i}i ${time}`
    }
  }
  yield `my\\ measure\\,ment,the\\ tag=v\\ 1 some\\ field=1.5,"quoted"=2 ${startNs}`
  yield `<html>&,tag=<b> field="<a>&\\"quoted\\" \\\\ \u2028" ${startNs + 1n}`
}

function* events(): Generator<string> {
  for (let i = 0; i < 8; i++) {
    yield `events,kind=k${i % 2} text="t${i % 3}",flag=${i % 3 === 0} ${startNs + BigInt(i) * 60n * secondNs + BigInt(i) * 7n}`
  }
}

/** Numbers at the edges of their types. */
function* odd(): Generator<string> {
  const values = [
    'i=9223372036854775807i,f=1e30',
    'i=-9223372036854775808i,f=1e-9',
    'i=0i,f=-0',
    'i=-1i,f=123456789.125',
    'i=4503599627370497i,f=1e21',
    'f=1e20',
    'i=7i,f=0.000001',
    'i=3i',
  ]
  for (const [i, fields] of values.entries()) yield `odd ${fields} ${startNs + BigInt(i) * secondNs}`
}

/** Whole numbers over six weeks: sums do not depend on how shards divide them. */
function* weeks(): Generator<string> {
  for (let i = 0; i < 42; i++) {
    yield `weeks,parity=${i % 2 === 0 ? 'even' : 'odd'} n=${i}i,x=${i * 2} ${startNs + BigInt(i) * 24n * hourNs}`
  }
}

/** Every half hour over the nights in which clocks change in Rome and in New York. */
function* clocks(): Generator<string> {
  const rome = 1_711_756_800_000_000_000n
  for (let i = 0; i < 60; i++) yield `clocks,place=rome n=${i}i ${rome + (BigInt(i) * hourNs) / 2n}`
  const newYork = 1_709_985_600_000_000_000n
  for (let i = 0; i < 60; i++) yield `clocks,place=newyork n=${i}i ${newYork + (BigInt(i) * hourNs) / 2n}`
  const autumn = 1_729_987_200_000_000_000n
  for (let i = 0; i < 36; i++) yield `clocks,place=autumn n=${i}i ${autumn + (BigInt(i) * hourNs) / 2n}`
}

/** Equal values and equal times. */
function* ties(): Generator<string> {
  for (const [s, series] of ['x', 'y', 'z'].entries()) {
    for (let i = 0; i < 6; i++) {
      yield `ties,s=${series} v=${(i * (s + 1)) % 3}i,w=${i % 2},ok=${(i + s) % 2 === 0},t="${series}${i}" ${startNs + BigInt(i) * secondNs}`
    }
  }
}
