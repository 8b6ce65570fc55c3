import { expect, test } from 'vitest'
import { missingPackages } from './system-packages.ts'

// What a fresh machine lacks is found out, also where dpkg has heard of it without having it.

const known = [
  'curl install ok installed',
  'curl-doc install ok installed',
  'git deinstall ok config-files',
  'runc hold ok installed',
  '',
].join('\n')

test.each([
  { name: 'curl', missing: false },
  { name: 'git', missing: true },
  { name: 'runc', missing: false },
  { name: 'curl-do', missing: true },
  { name: 'never-heard-of', missing: true },
])('$name is missing: $missing', ({ name, missing }) => {
  expect(missingPackages([name], known)).toEqual(missing ? [name] : [])
})

test('where dpkg says nothing, all of them are missing', () => {
  expect(missingPackages(['curl', 'git'], '')).toEqual(['curl', 'git'])
})
