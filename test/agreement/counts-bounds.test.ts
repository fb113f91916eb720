/** What one process counts in its memory: to the last one, all or none, and anew with each period. */
import { describe, expect, it } from 'vitest'
import { type Count, countInMemory } from '#agreement/counts.ts'

const count = (name: string, over: Partial<Count> = {}): Count => ({ name, period: 0, add: 1, most: 2, ...over })

describe('a count in memory', () => {
  it('goes to its most and not beyond, each by its own name', async () => {
    await using counts = countInMemory()
    expect(await counts.add([count('a')])).toBeUndefined()
    expect(await counts.add([count('a', { add: 2 })])).toBe('a')
    expect(await counts.add([count('a')])).toBeUndefined()
    expect(await counts.add([count('a')])).toBe('a')
    expect(await counts.add([count('b', { add: 2 })])).toBeUndefined()
    expect(await counts.add([count('a', { add: 0 })])).toBeUndefined()
  })

  it('is of all that are asked for or of none, and the first that would go beyond is named', async () => {
    await using counts = countInMemory()
    expect(await counts.add([count('a'), count('b', { add: 3 }), count('c', { add: 3 })])).toBe('b')
    expect(await counts.add([count('a', { add: 2 }), count('c', { add: 2 })])).toBeUndefined()
  })

  it('begins anew with another period, and of one name only the latest is kept', async () => {
    await using counts = countInMemory()
    expect(await counts.add([count('a', { add: 2 })])).toBeUndefined()
    expect(await counts.add([count('a', { add: 2, period: 60_000 })])).toBeUndefined()
    expect(await counts.add([count('a', { period: 60_000 })])).toBe('a')
    expect(await counts.add([count('a', { period: 120_000 })])).toBeUndefined()
  })

  it('goes on from what was counted elsewhere where nothing of the period is known here, and from its own after', async () => {
    await using counts = countInMemory()
    expect(await counts.add([count('a', { from: 2 })])).toBe('a')
    expect(await counts.add([count('a', { from: 1 })])).toBeUndefined()
    expect(await counts.add([count('a', { from: 0 })])).toBe('a')
    expect(await counts.add([count('a', { from: 1, period: 60_000 })])).toBeUndefined()
    expect(await counts.add([count('a', { from: 1, period: 60_000 })])).toBe('a')
  })

  it('of two makers is of each for itself', async () => {
    await using one = countInMemory()
    await using other = countInMemory()
    for (const counts of [one, other]) expect(await counts.add([count('a', { add: 2 })])).toBeUndefined()
  })
})
