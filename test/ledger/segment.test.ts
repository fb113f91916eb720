import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bits, candidates, draft, kept, places, SIZE } from '#ledger/segment.ts'

type Posting = { readonly at: number; readonly terms: readonly string[] }

/** Terms of which a few are of many entries, as those of peers are, and many of a few, as those of subjects are. */
const term = fc.oneof(
  fc.constantFrom('peer huizhou', 'peer ningbo', 'kind answered'),
  fc.nat(300).map(n => `subject ${n}`),
)
/** Clocks go back. */
const instant = fc.integer({ min: 0, max: 1000 })
const posting: fc.Arbitrary<Posting> = fc.record({ at: instant, terms: fc.uniqueArray(term, { maxLength: 4 }) })
/** So many that some terms have blocks of their own; the last ones often make no whole step of the times. */
const postings = fc
  .tuple(fc.array(posting, { minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 40 }))
  .map(([few, times]) => Array.from({ length: times }, () => few).flat())

function made(of: readonly Posting[]) {
  const segment = draft()
  for (const { at, terms } of of) segment.add(at, terms)
  const blocks = segment.blocks()
  const read = (number: number) => {
    const block = blocks.get(number)
    if (block === undefined) throw new RangeError(`no block ${number}`)
    return block
  }
  return { segment, again: kept(read), blocks }
}

function found(bits: Bits | undefined, top: number): number[] {
  return bits === undefined ? [] : [...places(bits, top)]
}

describe('a segment', () => {
  const bound = fc.oneof(
    fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY),
    fc.integer({ min: -1, max: 1001 }),
  )

  test('leaves out no entry that has what is asked for, and finds by terms alone exactly those that have them', () => {
    fc.assert(
      fc.property(
        postings,
        fc.array(fc.array(term, { maxLength: 3 }), { maxLength: 3 }),
        bound,
        bound,
        (of, asked, from, until) => {
          const { segment } = made(of)
          const has = ({ terms }: Posting) => asked.every(any => any.some(each => terms.includes(each)))
          const having = [...of.keys()].filter(i => of[i] !== undefined && has(of[i])).reverse()
          const all = found(candidates(segment, asked, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY), of.length)
          expect(all).toEqual(having)
          const timely = found(candidates(segment, asked, from, until), of.length)
          const wanted = having.filter(i => {
            const at = of[i]?.at ?? Number.NaN
            return at >= from && at < until
          })
          expect(all).toEqual(expect.arrayContaining(timely))
          expect(timely).toEqual(expect.arrayContaining(wanted))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('finds the same when it is read back from its blocks', () => {
    fc.assert(
      fc.property(postings, fc.array(fc.array(term), { maxLength: 3 }), bound, bound, (of, asked, from, until) => {
        const { segment, again } = made(of)
        expect(candidates(again, asked, from, until)).toEqual(candidates(segment, asked, from, until))
        expect(again.span).toEqual(segment.span)
      }),
      { numRuns: 60 },
    )
  })

  test('of entries in the order of time is looked at only around the instants that are asked for', () => {
    const { segment } = made(Array.from({ length: 10_000 }, (_, i) => ({ at: i, terms: ['peer huizhou'] })))
    const near = found(candidates(segment, [['peer huizhou']], 5000, 5100), 10_000)
    expect(near).toHaveLength(128)
    expect(near).toEqual(expect.arrayContaining([5000, 5099]))
  })

  test('that is full takes a few bytes for each entry, however common or rare its terms', () => {
    const { blocks } = made(
      Array.from({ length: SIZE }, (_, i) => ({
        at: i,
        terms: ['kind answered', `peer ${i % 6}`, `purpose ${i % 5}`, `outcome ${i % 2}`, `subject ${i % 40_000}`],
      })),
    )
    const size = [...blocks.values()].reduce((sum, { byteLength }) => sum + byteLength, 0)
    expect(size / SIZE).toBeLessThan(12)
    expect(blocks.size).toBeLessThan(4096)
  })

  test('leaves out no sixteenth in which a text has a part, and most in which none has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('惠', '市', '1', '2', '号', '\ud83d', '\ude00') }), {
          maxLength: 8,
        }),
        fc.nat(),
        (texts, seed) => {
          const text = (i: number) => texts[(i + seed) % texts.length] ?? ''
          const segment = draft()
          const part = 4096
          for (let i = 0; i < texts.length; i += 1) {
            for (let j = 0; j < part; j += 1) segment.add(0, [], j === 0 ? text(i) : '')
          }
          const again = kept(number => segment.blocks().get(number) ?? new Uint8Array())
          const needle = texts[0]?.slice(1) ?? ''
          for (let i = 0; i < texts.length; i += 1) {
            if (text(i).includes(needle)) expect(segment.parts(needle) & (1 << i)).not.toBe(0)
          }
          expect(again.parts(needle)).toBe(segment.parts(needle))
        },
      ),
      { numRuns: 20 },
    )
    const numbered = draft()
    for (let i = 0; i < SIZE; i += 1) numbered.add(i, [], `惠市招〔2026〕${Math.floor(i / 7)}号`)
    const found = candidates(numbered, [], Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, '〔2026〕7411号')
    expect([...places(found ?? new Uint32Array(), SIZE)].length).toBeLessThanOrEqual(8192)
  })

  test('has no more blocks than there are numbers for them, and the most common terms still by themselves', () => {
    const { blocks, segment, again } = made(
      Array.from({ length: SIZE }, (_, i) => ({
        at: i,
        terms: ['kind answered', ...Array.from({ length: 30 }, (_, j) => `subject ${(i % 128) * 30 + j}`)],
      })),
    )
    expect(Math.max(...blocks.keys())).toBeLessThan(4096)
    expect([...blocks.values()].filter(({ byteLength }) => byteLength === 8192)).toHaveLength(1 + 16)
    for (const term of ['kind answered', 'subject 7', 'subject 3839']) {
      const every = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] as const
      expect(candidates(again, [[term]], ...every)).toEqual(candidates(segment, [[term]], ...every))
    }
  })
})
