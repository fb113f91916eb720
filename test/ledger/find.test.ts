import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import { matches } from '#ledger/filter.ts'
import type { Filter, Ledger, Recorded } from '#ledger/ledger.ts'
import { openLedgerAt } from '#ledger/open.ts'
import { describeEngines } from './engines.ts'
import { answered, company, uuid7 } from './sample.ts'

const word = <T>(...words: T[]) => fc.constantFrom(...words)
const peer = word('huizhou', 'suzhou')
const purpose = word('bidding', 'lending')
const department = word('招标办', '信用办')
const matter = word('惠招〔2026〕1号', '苏信"2026"\\12号', 'x')
const subject = fc.nat(5).map(company)
const minute = fc.nat(9).map(n => `2026-03-01T00:0${n}:00.000Z`)

/** Entries of the kinds that a filter tells apart. */
const entries: fc.Arbitrary<Entry> = fc
  .record({
    kind: word('answered', 'refused', 'asked', 'outcome', 'unknown', 'declined', 'held'),
    at: minute,
    peer,
    purpose,
    department,
    matter,
    subjects: fc.uniqueArray(subject, { minLength: 1, maxLength: 3 }),
  })
  .map(({ kind, department, ...common }) => {
    const { entry } = answered({ ...common, jti: uuid7(), status: common.subjects.map(() => 'answered') })
    const { kind: _, status: __, disclosed: ___, withheldDigest: ____, answerDigest: _____, ...exchange } = entry
    const { at, city, peer, purpose, matter, subjects } = exchange
    if (kind === 'refused') return { ...exchange, kind, code: 'agreement.purpose' }
    if (kind === 'asked') return { ...exchange, department, kind, want: [{ family: 'licence' }] }
    if (kind === 'outcome') return { ...exchange, department, kind, outcome: 'answered' }
    if (kind === 'unknown') return { ...exchange, department, kind: 'outcome', outcome: 'unknown', code: 'peer.slow' }
    if (kind === 'declined')
      return { kind, at, city, peer, department, purpose, matter, subjects, code: 'agreement.purpose' }
    if (kind === 'held')
      return { kind, at, city, staff: '王审计', hold: 'case-1', action: 'placed', reason: '诉讼', subjects }
    return entry
  })

const option = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined, freq: 3 })
const filters: fc.Arbitrary<Filter> = fc.record({
  from: option(minute),
  until: option(minute),
  kinds: option(fc.uniqueArray(word<Entry['kind']>('answered', 'refused', 'outcome', 'held'), { maxLength: 3 })),
  peer: option(peer),
  purpose: option(purpose),
  department: option(department),
  matter: option(word('2026', '"', '\\1', 'x', 'zz')),
  outcome: option(word('answered', 'refused', 'unknown', 'agreement.purpose', 'peer.slow')),
  subject: option(subject),
})

/** All that a search finds, page by page. */
async function all(ledger: Ledger, filter: Filter, limit: number): Promise<Recorded[]> {
  const found: Recorded[] = []
  let before: number | undefined
  do {
    const page = await ledger.search(filter, { before, limit })
    expect(page.entries.length).toBeLessThanOrEqual(limit)
    found.push(...page.entries)
    expect(page.next ?? -1).toBeLessThan(before ?? Number.MAX_SAFE_INTEGER)
    before = page.next
  } while (before !== undefined)
  return found
}

describeEngines(engine => {
  test('a search finds what fits the filter, all of it, once, the newest first', { timeout: 120_000 }, async () => {
    await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
    for (const entry of fc.sample(entries, { numRuns: 120, seed: 7 })) await ledger.append(entry)
    const whole = (await ledger.entries({ from: 0, limit: 1000 })).toReversed()
    expect(whole).toHaveLength(120)
    await fc.assert(
      fc.asyncProperty(filters, fc.integer({ min: 1, max: 50 }), async (filter, limit) => {
        expect(await all(ledger, filter, limit)).toEqual(whole.filter(({ entry }) => matches(entry, filter)))
      }),
      { numRuns: 150 },
    )
  })

  test('a search by time finds what stands up to an hour out of its order', { timeout: 120_000 }, async () => {
    await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
    const instant = (minutes: number) => new Date(Date.UTC(2026, 2, 1) + minutes * 60_000).toISOString()
    // Two clocks, each a little less than half an hour from the right one; and hours in which nothing was asked.
    const away = fc.sample(fc.tuple(fc.integer({ min: -29, max: 29 }), fc.constantFrom(5, 20, 50, 400)), {
      numRuns: 90,
      seed: 3,
    })
    let right = 0
    for (const [minutes, pause] of away) {
      right += pause
      await ledger.append(answered({ at: instant(right + minutes), peer: minutes % 2 ? 'huizhou' : 'suzhou' }).entry)
    }
    const whole = (await ledger.entries({ from: 0, limit: 1000 })).toReversed()
    const moment = fc.integer({ min: -60, max: right + 60 }).map(instant)
    await fc.assert(
      fc.asyncProperty(
        option(moment),
        option(moment),
        option(peer),
        fc.integer({ min: 1, max: 50 }),
        async (...asked) => {
          const [from, until, of, limit] = asked
          const filter = { from, until, peer: of }
          expect(await all(ledger, filter, limit)).toEqual(whole.filter(({ entry }) => matches(entry, filter)))
        },
      ),
      { numRuns: 150 },
    )
  })

  test.each([
    ['2099', '2099-01-01T00:00:00.000Z'],
    ['1970', '1970-01-01T00:00:00.000Z'],
  ])('one entry of %s among those of a night hides no other from a search by time', async (_, wrong) => {
    await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
    const hour = (n: number) => new Date(Date.UTC(2026, 4, 1, n)).toISOString()
    for (const at of [hour(0), hour(1), wrong, hour(2), hour(3), hour(4)]) await ledger.append(answered({ at }).entry)
    const whole = (await ledger.entries({ from: 0, limit: 9 })).toReversed()
    for (const from of [undefined, hour(-700), hour(-8), hour(-1), hour(0), hour(3), hour(9)]) {
      for (const until of [undefined, hour(-9), hour(1), hour(4), hour(5), hour(16), hour(700)]) {
        const filter = { from, until }
        const others = (await all(ledger, filter, 5)).filter(({ entry }) => entry.at !== wrong)
        expect(others, `${from} ${until}`).toEqual(
          whole.filter(({ entry }) => entry.at !== wrong && matches(entry, filter)),
        )
      }
    }
  })

  test('a search sees what was appended a moment ago, and nothing in an empty ledger', async () => {
    await using ledger = await openLedgerAt(await engine.make(), 'jiangyin')
    expect(await ledger.search({ peer: 'huizhou' }, { limit: 5 })).toEqual({ entries: [], next: undefined })
    const { entry } = answered()
    await ledger.append(entry)
    expect((await ledger.search({ subject: company(1) }, { limit: 5 })).entries.map(found => found.entry)).toEqual([
      entry,
    ])
    expect(await ledger.search({}, { limit: 5 })).toMatchObject({ entries: [{ entry }], next: undefined })
  })
})
