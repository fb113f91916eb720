/** What holds of counts wherever they are kept: to the last one, all or none, and anew with each period. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { type Count, type Counts, countInMemory } from '#agreement/counts.ts'
import { countInFile } from '../../src/shared-counts.ts'

const MINUTE = 60_000
const added = fc.record({ name: fc.constantFrom('a', 'b'), add: fc.nat(4) })

/** The laws of those counts that need no server. */
export function localCountsLaws(): void {
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-counting-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  let files = 0
  countsLaws('in memory', countInMemory)
  countsLaws('in a file', () => countInFile(join(folder, `${++files}.sqlite`)))
}

/** What `make` gives may be the same counts each time: what is counted of one run has names of its own. */
export function countsLaws(where: string, make: () => Counts | Promise<Counts>): void {
  let runs = 0
  const named = () => {
    const run = ++runs
    return (name: string, over: Partial<Count> = {}): Count => ({
      name: `${run} ${name}`,
      period: 0,
      add: 1,
      most: 2,
      ...over,
    })
  }

  describe(`counts ${where}`, () => {
    it('never go beyond the most, add all or none, and start anew with each period', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(added, { minLength: 1, maxLength: 2 }), { maxLength: 40 }), async all => {
          await using counts = await make()
          const count = named()
          // What holds by the words of the promise: the sum of what was added, by name and period, periods in order.
          const sums = new Map<string, number>()
          for (const [i, each] of all.entries()) {
            const distinct = each.filter(({ name }, at) => each.findIndex(other => other.name === name) === at)
            const period = MINUTE * Math.floor(i / 5)
            const wanted = distinct.map(({ name, add }) => count(name, { period, add, most: 7 }))
            const full = wanted.filter(({ name, add }) => (sums.get(`${name} ${period}`) ?? 0) + add > 7)
            const told = await counts.add(wanted)
            if (full.length === 0) expect(told).toBeUndefined()
            else expect(full.map(({ name }) => name)).toContain(told)
            if (full.length > 0) continue
            for (const { name, add } of wanted) {
              sums.set(`${name} ${period}`, (sums.get(`${name} ${period}`) ?? 0) + add)
            }
          }
        }),
        { numRuns: 60 },
      )
    })

    it('go to the most and not beyond, each by its own name', async () => {
      await using counts = await make()
      const count = named()
      expect(await counts.add([count('a')])).toBeUndefined()
      expect(await counts.add([count('a', { add: 2 })])).toBe(count('a').name)
      expect(await counts.add([count('a')])).toBeUndefined()
      expect(await counts.add([count('a')])).toBe(count('a').name)
      expect(await counts.add([count('b', { add: 2 })])).toBeUndefined()
      expect(await counts.add([count('a', { add: 0 })])).toBeUndefined()
    })

    it('are of all that are asked for or of none, and the first that would go beyond is named', async () => {
      await using counts = await make()
      const count = named()
      const [a, b, c] = [count('a'), count('b', { add: 3 }), count('c', { add: 3 })]
      expect(await counts.add([a, b, c])).toBe(b.name)
      expect(await counts.add([count('a', { add: 2 }), count('c', { add: 2 })])).toBeUndefined()
    })

    it('begin anew with a later period, and of one name only the latest is kept', async () => {
      await using counts = await make()
      const count = named()
      expect(await counts.add([count('a', { add: 2 })])).toBeUndefined()
      expect(await counts.add([count('a', { add: 2, period: MINUTE })])).toBeUndefined()
      expect(await counts.add([count('a', { period: MINUTE })])).toBe(count('a').name)
      expect(await counts.add([count('a', { period: 2 * MINUTE })])).toBeUndefined()
    })

    it('go on from what was counted elsewhere where nothing of the period is known here, and from their own after', async () => {
      await using counts = await make()
      const count = named()
      expect(await counts.add([count('a', { from: 2 })])).toBe(count('a').name)
      expect(await counts.add([count('a', { from: 1 })])).toBeUndefined()
      expect(await counts.add([count('a', { from: 0 })])).toBe(count('a').name)
      expect(await counts.add([count('a', { from: 1, period: MINUTE })])).toBeUndefined()
      expect(await counts.add([count('a', { from: 1, period: MINUTE })])).toBe(count('a').name)
    })
  })
}
