/** The edges of publicity: the last day of each month and century, what may be of several grades, and what is over for certain. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSurelyPast, lastPublicDay, publicUntil } from '#agreement/publicity.ts'
import type { Value } from '#protocol/message.ts'
import type { PublicityRule } from '#schema/periods.ts'
import type { SharedRecord } from '#schema/record.ts'
import { vocabulary } from '../schema/cities.ts'
import { base, either, entry, graded, honour, penalty, saying } from './records.ts'
import { today } from './shipped.ts'

const FAR = '9999-12-31'
type Grades = readonly (readonly [string, { months?: number; days?: number; unlessStated?: 'unpublished' }])[]

/** A rule for penalties and lists of every day there is. */
function ruleOf(grades: Grades, over: Partial<PublicityRule> = {}): PublicityRule {
  const periods = grades.map(
    ([grade, { months = 0, days = 0, unlessStated }]) => [grade, { most: { months, days }, unlessStated }] as const,
  )
  return {
    code: 'rule',
    validFrom: null,
    validTo: null,
    families: new Set(['penalty', 'list']),
    grades: new Map(periods),
    gradeOf: new Map(),
    ...over,
  }
}

/** The last public day by one rule alone. */
const lastBy = (rule: PublicityRule, record: SharedRecord, on = FAR) =>
  lastPublicDay(record, on, { ...vocabulary, publicity: [rule] })
const kinds = (codes: Value): SharedRecord => ({
  ...base,
  family: 'penalty',
  fields: { decided: '2026-05-06', kinds: codes },
})
const stating = (record: SharedRecord, publishedUntil: string): SharedRecord => ({ ...record, publishedUntil })

describe('a period ends', () => {
  const endAfter = (decided: string, months: number, days = 0) =>
    lastBy(ruleOf([['general', { months, days }]]), saying(penalty, { decided }))

  it.each([
    ['2026-12-31', 1, '2027-01-31'],
    ['2026-12-31', 2, '2027-02-28'],
    ['2026-12-31', 3, '2027-03-31'],
    ['2026-12-31', 4, '2027-04-30'],
    ['2026-12-31', 5, '2027-05-31'],
    ['2026-12-31', 6, '2027-06-30'],
    ['2026-12-31', 7, '2027-07-31'],
    ['2026-12-31', 8, '2027-08-31'],
    ['2026-12-31', 9, '2027-09-30'],
    ['2026-12-31', 10, '2027-10-31'],
    ['2026-12-31', 11, '2027-11-30'],
    ['2026-12-31', 12, '2027-12-31'],
    ['2027-12-31', 2, '2028-02-29'],
    ['2099-12-31', 2, '2100-02-28'],
    ['2399-12-31', 2, '2400-02-29'],
    ['0999-11-30', 2, '1000-01-30'],
    ['0099-10-31', 1, '0099-11-30'],
  ])('for one of %s after %i months on %s, on the last day of a month that is shorter', (decided, months, end) => {
    expect(endAfter(decided, months)).toBe(end)
  })

  it.each([
    ['2026-12-31', 0, 10, '2027-01-10'],
    ['2026-01-31', 1, 10, '2026-03-10'],
    ['2028-02-19', 0, 10, '2028-02-29'],
  ])('for one of %s after %i months and %i days on %s', (decided, months, days, end) => {
    expect(endAfter(decided, months, days)).toBe(end)
  })

  it('as the calendar says, whatever the day and the period', () => {
    const day = fc
      .tuple(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 31 }))
      .map(([year, month, day]) => Temporal.PlainDate.from({ year, month, day }))
    fc.assert(
      fc.property(day, fc.nat(120), fc.nat(40), (decided, months, days) => {
        expect(endAfter(decided.toString(), months, days)).toBe(decided.add({ months, days }).toString())
      }),
    )
  })

  it('on the same day for as many days of decision as there are', () => {
    const rule = ruleOf([['general', { months: 3 }]])
    const first = Temporal.PlainDate.from('2010-01-01')
    for (let since = 0; since < 5000; since++) {
      const decided = first.add({ days: since })
      const end = lastBy(rule, saying(penalty, { decided: decided.toString() }))
      if (end !== decided.add({ months: 3 }).toString()) expect.fail(`${decided} ends on ${end}`)
    }
    expect(lastBy(rule, saying(penalty, { decided: '2010-01-01' }))).toBe('2010-04-01')
  })
})

describe('where several grades are possible', () => {
  const said = (grade: Value, publishedUntil?: string) => ({
    ...saying(penalty, { decided: '2026-01-01', grade }),
    publishedUntil,
  })

  it('the shortest counts where no end is stated, and the longest bounds what is, whatever their order', () => {
    const rule = ruleOf([
      ['minor', { months: 12 }],
      ['general', { months: 36 }],
      ['serious', { months: 6 }],
    ])
    const all = either('minor', 'general', 'serious')
    expect(lastBy(rule, said(all))).toBe('2026-07-01')
    expect(lastBy(rule, said(all, FAR))).toBe('2029-01-01')
    expect(lastBy(rule, said(either('minor', 'general')))).toBe('2027-01-01')
    expect(lastBy(rule, said(either('minor', 'serious'), FAR))).toBe('2027-01-01')
  })

  it('one of them that is not published leaves it open, wherever it stands', () => {
    const first = ruleOf([
      ['minor', { months: 3, unlessStated: 'unpublished' }],
      ['general', { months: 12 }],
    ])
    const last = ruleOf([
      ['general', { months: 12 }],
      ['minor', { months: 3, unlessStated: 'unpublished' }],
    ])
    for (const rule of [first, last]) {
      expect(lastBy(rule, said(either('minor', 'general')))).toBeUndefined()
      expect(lastBy(rule, said(either('minor', 'general'), FAR))).toBe('2027-01-01')
      expect(lastBy(rule, said(graded('general')))).toBe('2027-01-01')
    }
  })

  it('one that the rule does not know is none of its grades, and without any other every grade is possible', () => {
    const early = (grade: Value) =>
      lastPublicDay(saying(stating(penalty, FAR), { decided: '2020-01-01', grade }), FAR, vocabulary)
    expect(early(either('minor', 'general'))).toBe('2021-01-01')
    expect(early(either('minor', 'petty'))).toBe('2023-01-01')
    expect(early(graded('minor'))).toBe('2023-01-01')
  })
})

describe('the kinds of a penalty', () => {
  it.each<[string, Value, string | undefined]>([
    ['of one kind is of its grade', { code: '05', original: '吊销' }, '2029-05-06'],
    ['of one kind by itself is of its grade', { codes: ['09'], original: '没收' }, '2027-05-06'],
    ['of several kinds is of the gravest, first', { codes: ['05', '01'], original: '吊销；警告' }, '2029-05-06'],
    [
      'of several kinds is of the gravest, last',
      { codes: ['01', '09', '05'], original: '警告；没收；吊销' },
      '2029-05-06',
    ],
    ['of a minor kind is not published', { codes: ['01'], original: '警告' }, undefined],
    ['of one kind or another tells no grade, even of equal ones', either('05', '13'), undefined],
    ['whose kinds did not translate tells no grade', { untranslated: '吊销' }, undefined],
    ['whose kinds are plain words tells no grade', '05', undefined],
  ])('%s', (_, value, end) => {
    expect(lastPublicDay(kinds(value), FAR, vocabulary)).toBe(end)
  })

  it.each<[string, Value]>([
    ['one whose grade depends on its amount', { codes: ['01', '02'], original: '警告；罚款' }],
    ['one or the other', either('01', '08')],
    ['no translation', { untranslated: '警告' }],
    ['plain words', '01'],
  ])('with %s leave every grade possible', (_, value) => {
    expect(lastPublicDay(stating(kinds(value), FAR), FAR, vocabulary)).toBe('2029-05-06')
  })

  it('say nothing of an entry on a list, which is serious where the rule knows that grade', () => {
    const said = saying(stating(entry, FAR), { kinds: { codes: ['01'], original: '警告' }, listed: '2026-05-06' })
    expect(lastPublicDay(said, FAR, vocabulary)).toBe('2029-05-06')
    const rule = ruleOf([
      ['minor', { months: 3 }],
      ['general', { months: 12 }],
    ])
    expect(lastBy(rule, said)).toBe('2027-05-06')
  })
})

describe('the end that a city states', () => {
  it.each<[string, Partial<SharedRecord>, string]>([
    ['the end of publicity alone', { publishedUntil: '2027-01-01' }, '2027-01-01'],
    ['the day it is taken off alone', { endedOn: '2027-01-02' }, '2027-01-02'],
    ['both, the end first', { publishedUntil: '2027-01-01', endedOn: '2027-01-02' }, '2027-01-01'],
    ['both, the day it is taken off first', { publishedUntil: '2027-01-03', endedOn: '2027-01-02' }, '2027-01-02'],
    ['for ever, and a day', { publishedUntil: 'indefinite', endedOn: '2027-01-02' }, '2027-01-02'],
    ['neither', {}, '2027-10-01'],
  ])('is the first of what it states: %s', (_, ends, last) => {
    expect(lastPublicDay({ ...penalty, ...ends }, FAR, vocabulary)).toBe(last)
  })

  it('is on the wire the end of publicity alone', () => {
    const record = { ...penalty, publishedUntil: '2027-02-01', endedOn: '2027-01-02' }
    expect(publicUntil(record, FAR, vocabulary)).toBe('2027-02-01')
    expect(publicUntil({ ...record, publishedUntil: undefined }, FAR, vocabulary)).toBe('2027-10-01')
  })

  it('is all there is for honours and notices, whatever the rule of their day', () => {
    const register = { ...entry, list: 'abnormal-operation' }
    const attention = { ...entry, list: 'key-attention' }
    for (const record of [honour, register, attention]) {
      expect(lastPublicDay(record, FAR, vocabulary)).toBe('indefinite')
      expect(lastPublicDay(stating(record, '2035-01-01'), FAR, vocabulary)).toBe('2035-01-01')
    }
    expect(lastPublicDay(entry, FAR, vocabulary)).toBe('2029-08-01')
    expect(lastPublicDay({ ...entry, list: 'no-such-list' }, FAR, vocabulary)).toBe('2029-08-01')
  })
})

describe('the publicity of a record is surely over', () => {
  const surely = (record: SharedRecord, on = today) => isSurelyPast(record, on, vocabulary)
  const of = (decided: string, grade?: Value) => ({
    ...base,
    family: 'penalty',
    fields: { decided, ...(grade !== undefined && { grade }) },
  })

  it('from the day after its city’s own end, or the day it is taken off', () => {
    expect(surely(stating(base, '2026-11-21'))).toBe(true)
    expect(surely(stating(base, today))).toBe(false)
    expect(surely({ ...base, endedOn: '2026-11-21' })).toBe(true)
    expect(surely({ ...base, endedOn: today })).toBe(false)
    expect(surely(base, FAR)).toBe(false)
  })

  it('from the day after the last of what its grade, or any that is possible, allows', () => {
    const general = of('2026-05-06', graded('general'))
    expect([surely(general, '2027-05-06'), surely(general, '2027-05-07')]).toEqual([false, true])
    const doubted = of('2026-05-06', either('general', 'serious'))
    expect([surely(doubted, '2029-05-06'), surely(doubted, '2029-05-07')]).toEqual([false, true])
    const unknown = of('2026-05-06')
    expect([surely(unknown, '2029-05-06'), surely(unknown, '2029-05-07')]).toEqual([false, true])
    expect([surely(entry, '2029-08-01'), surely(entry, '2029-08-02')]).toEqual([false, true])
  })

  it('from the first where its grade is not published, though not before the day of its decision', () => {
    const minor = (decided: string) => of(decided, graded('minor'))
    expect(['2026-11-21', today, '2026-11-23'].map(decided => surely(minor(decided)))).toEqual([true, true, false])
    expect(surely(of('2026-05-06', either('minor', 'general')))).toBe(false)
  })

  it('never without a day, or without a rule for it', () => {
    const rule = ruleOf([['general', { months: 1, unlessStated: 'unpublished' }]])
    const by = (record: SharedRecord) => isSurelyPast(record, FAR, { ...vocabulary, publicity: [rule] })
    expect(by(of('2026-05-06'))).toBe(true)
    for (const decided of [undefined, { untranslated: '不详' }, { code: '2', original: '二' }]) {
      expect(by({ ...base, family: 'penalty', fields: { ...(decided !== undefined && { decided }) } })).toBe(false)
    }
    expect(surely(of('2019-06-30'), FAR)).toBe(false)
    expect(surely({ ...base, fields: { decided: '2026-05-06' } }, FAR)).toBe(false)
  })

  it('never of what nobody corrected, of what may be an honour, and of what is one', () => {
    expect(surely(entry, FAR)).toBe(true)
    expect(surely({ ...entry, uncorrected: true }, FAR)).toBe(false)
    expect(surely({ ...entry, list: undefined }, FAR)).toBe(false)
    expect(surely({ ...honour }, FAR)).toBe(false)
    expect(surely({ ...entry, list: 'abnormal-operation' }, FAR)).toBe(false)
    // Only of a list may it be one: a family of another vocabulary has no honours.
    const families = new Map([...vocabulary.families].filter(([code]) => code !== 'penalty'))
    expect(isSurelyPast(penalty, FAR, { ...vocabulary, families })).toBe(true)
  })
})
