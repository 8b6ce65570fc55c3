import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

// `npm ci` on a fresh clone refuses a lock file that leaves out packages for other platforms than its writer's.

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>
  >
}

test('the lock file holds every optional package, for whatever platform it is', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as LockFile
  const wanted = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).map((name) => [`${path}/node_modules/${name}`, `node_modules/${name}`]),
  )
  expect(wanted.length).toBeGreaterThan(50)
  expect(wanted.filter((places) => !places.some((place) => Object.hasOwn(packages, place)))).toEqual([])
})
