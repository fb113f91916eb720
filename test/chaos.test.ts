import { expect, it } from 'vitest'
import { chaos } from './chaos.ts'

it('three gateways on one PostgreSQL lose nothing, and answer nothing twice, whichever of the four is killed', {
  timeout: 180_000,
}, async () => {
  const outcome = await chaos(4)
  expect(outcome).toMatchObject({ kills: 4, lost: 0, answered_twice: 0, tree_gaps: 0 })
  expect(outcome.answered).toBeGreaterThan(100)
  expect(outcome.max_recovery_s).toBeLessThan(5)
})
