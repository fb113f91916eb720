/** What is counted without a server: as counts are kept everywhere, and in memory by each maker for itself. */
import { expect, it } from 'vitest'
import { countInMemory } from '#agreement/counts.ts'
import { localCountsLaws } from './counting.ts'

localCountsLaws()

it('counts in memory of two makers are of each for itself', async () => {
  await using one = countInMemory()
  await using other = countInMemory()
  const both = { name: 'a', period: 0, add: 2, most: 2 }
  for (const counts of [one, other]) expect(await counts.add([both])).toBeUndefined()
})
