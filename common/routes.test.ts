import { describe, expect, test } from 'vitest'
import { allows, loggedPath, routeOf, routes } from './routes.ts'
import { mintToken } from './token.ts'

const token = mintToken('aaaaaaaaaaaaaaaa')

/** Paths that nobody serves, some of them almost one that somebody does. */
const nobodys = ['', '/', '/write/', '//write', '/Write', '/write%2F', '/api/v2', '/api/v2/', 'constructor']

test('a path and a name stand for one route', () => {
  expect(new Set(routes.map(({ path }) => path)).size).toBe(routes.length)
  expect(new Set(routes.map(({ name }) => name)).size).toBe(routes.length)
})

test.each(routes)('$path is found, and logged as it is', (route) => {
  expect(routeOf(route.path)).toBe(route)
  expect(loggedPath(route.path)).toBe(route.path)
})

test.each(nobodys)('%j is no route', (path) => {
  expect(routeOf(path)).toBeNull()
  expect(loggedPath(path)).toBe('unknown')
})

test('a route allows its methods and no others', () => {
  const write = routeOf('/write')!
  expect(
    ['POST', 'GET', 'HEAD', 'DELETE', 'post', '', undefined].filter((method) => allows(write, method)),
  ).toEqual(['POST'])
})

describe('a token that a client puts in the wrong place does not come into a log', () => {
  test.each([
    `/write/${token}`,
    `/${token}`,
    `/write/${encodeURIComponent(token).replaceAll('_', '%5F')}`,
    `/query/${token.slice(0, 40)}`,
    `/${token}${token}`,
  ])('%s is an unknown path', (path) => {
    expect(loggedPath(path)).toBe('unknown')
  })
})
