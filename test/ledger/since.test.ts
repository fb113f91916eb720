/** The first entry of an instant is found however it is asked for, also where clocks stood still or entries are gone. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { firstSince, firstSinceAt } from '#ledger/since.ts'
import { answered } from './sample.ts'

const instant = (second: number) => new Date(1_795_305_600_000 + second * 1000).toISOString()

it('the first entry since an instant is the one that a look at each of them finds, in no more looks than halving needs', async () => {
  const { entry } = answered()
  const seconds = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(seconds, fc.integer({ min: -1, max: 21 }), async (drawn, since) => {
      const at = drawn.toSorted((a, b) => a - b).map(instant)
      const found = at.findIndex(each => each >= instant(since))
      const expected = found < 0 ? at.length : found
      let looks = 0
      const look = (index: number) => {
        looks += 1
        return at[index]
      }
      expect(firstSinceAt(at.length, instant(since), look)).toBe(expected)
      expect(looks).toBeLessThanOrEqual(Math.ceil(Math.log2(at.length + 1)))
      const ledger = {
        count: async () => at.length,
        entry: async (index: number) => {
          const each = at[index] ?? ''
          return { entry: { ...entry, at: each }, receipt: { index, leaf: '', link: '', at: each } }
        },
      }
      expect(await firstSince(ledger, instant(since))).toBe(expected)
    }),
  )
})

it('an entry that is not there is late enough, so that what follows it is looked at rather than passed over', () => {
  const at = [instant(1), instant(2), undefined, undefined]
  expect(firstSinceAt(4, instant(2), index => at[index])).toBe(1)
  expect(firstSinceAt(4, instant(3), index => at[index])).toBe(2)
})
