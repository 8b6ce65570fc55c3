import { describe, expect, test } from 'vitest'
import { mintToken } from '../common/token.ts'
import { routingOf } from './organization.ts'

const a = 'aaaaaaaaaaaaaaaa'
const b = 'bbbbbbbbbbbbbbbb'
const tokenA = mintToken(a)
const tokenB = mintToken(b)
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

const route = (authorization: string[], query = '', host = 'gateway:8086') =>
  routingOf({ authorization, host, query: new URLSearchParams(query) }, 'db.example.org')

describe('the credential alone decides the organization, and a request that contradicts itself goes nowhere', () => {
  test.each([
    ['a token', [`Token ${tokenA}`], '', undefined, a],
    ['Basic password', [basic(`x:${tokenA}`)], '', undefined, a],
    ['p=', [], `?u=x&p=${tokenA}`, undefined, a],
    ['user name@id', [basic(`grafana@${a}:secret`)], '', undefined, a],
    ['u=name@id', [], `?u=grafana@${a}&p=secret`, undefined, a],
    ['host', [basic('user:secret')], '', `${a}.db.example.org:8086`, a],
    ['host in capitals', [basic('user:secret')], '', `${a.toUpperCase()}.DB.Example.org`, a],
    ['orgID', [basic('user:secret')], `?orgID=${b}`, undefined, b],
    ['org that is an id', [basic('user:secret')], `?org=${b}`, undefined, b],
    ['org that is a name is not looked at', [`Token ${tokenA}`], '?org=marketing', undefined, a],
    ['all agree', [`Token ${tokenA}`], `?orgID=${a}&u=x@${a}&p=${tokenA}`, `${a}.db.example.org`, a],
  ])('%s', (_name, authorization, query, host, expected) => {
    expect(route(authorization, query, host)).toMatchObject({ to: 'organization', id: expected })
  })

  test.each([
    ['no credential', [], '', undefined, 'no-credential'],
    ['only orgID', [], `?orgID=${a}`, undefined, 'no-credential'],
    ['only the host', [], '', `${a}.db.example.org`, 'no-credential'],
    ['a password without organization', [basic('user:secret')], '', undefined, 'no-organization'],
    ['a mistyped token', [`Token ${tokenA.slice(0, -1)}_`], '', undefined, 'no-organization'],
    ['deeper host', [basic('user:secret')], '', `x.${a}.db.example.org`, 'no-organization'],
    ['the base domain itself', [basic('user:secret')], '', 'db.example.org', 'no-organization'],
    ['two tokens', [`Token ${tokenA}`], `?p=${tokenB}`, undefined, 'disagreement'],
    ['two tokens of one organization', [`Token ${tokenA}`], `?p=${mintToken(a)}`, undefined, 'disagreement'],
    ['two headers', [`Token ${tokenA}`, `Token ${tokenB}`], '', undefined, 'disagreement'],
    ['token and orgID', [`Token ${tokenA}`], `?orgID=${b}`, undefined, 'disagreement'],
    ['token and org', [`Token ${tokenA}`], `?org=${b}`, undefined, 'disagreement'],
    ['second orgID', [`Token ${tokenA}`], `?orgID=${a}&orgID=${b}`, undefined, 'disagreement'],
    ['token and host', [`Token ${tokenA}`], '', `${b}.db.example.org`, 'disagreement'],
    ['token and user', [basic(`x@${b}:${tokenA}`)], '', undefined, 'disagreement'],
  ])('nowhere: %s', (_name, authorization, query, host, reason) => {
    expect(route(authorization, query, host)).toEqual({ to: 'nobody', reason })
  })

  test('the key that limits go by does not hold the credential', () => {
    const routing = route([`Token ${tokenA}`])
    expect(JSON.stringify({ ...routing, token: null })).not.toContain(tokenA.slice(21))
    expect(routing).toMatchObject({ token: tokenA, credentialKey: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })
})
