import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { auditDependencies, differences, explanations } from '../../scripts/audit-dependencies.ts'

// Nobody uses a package with a known weakness without having said why.

test('every advisory against a package is explained', { timeout: 60_000 }, async ({ skip }) => {
  const audit = await auditDependencies()
  if (audit.kind === 'silent') {
    // In the run's own output, since the reason of a skipped test is shown by few reporters.
    console.warn(`advisories: skipped, nothing is known: ${audit.why}`)
    skip(audit.why)
  } else expect(differences(audit.advisories, readFileSync(explanations, 'utf8'))).toEqual([])
})
