import { expect, test } from 'vitest'
import { cutOffRules } from './cut-off.ts'

// Promise: one pod is kept from the API server, and nobody and nothing else.

/** The lines that match packets. */
const rules = (how: 'reset' | 'silence') =>
  cutOffRules('10.244.0.9', how)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('ip '))

test('reset: calls are refused, and no answer is held back', () => {
  expect(rules('reset')).toEqual([
    'ip saddr 10.244.0.9 ip daddr 172.30.0.1 tcp dport 6443 reject with tcp reset',
  ])
})

test('silence: packets vanish both ways', () => {
  expect(rules('silence')).toEqual([
    'ip saddr 10.244.0.9 ip daddr 172.30.0.1 tcp dport 6443 drop',
    'ip saddr 172.30.0.1 ip daddr 10.244.0.9 tcp sport 6443 drop',
  ])
})
