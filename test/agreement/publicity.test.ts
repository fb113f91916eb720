import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { given } from '#agreement/disclose.ts'
import { lastPublicDay } from '#agreement/publicity.ts'
import type { Value } from '#protocol/message.ts'
import { readSubject, subjectKinds } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { vocabulary } from '../schema/cities.ts'
import { base, either, graded } from './records.ts'

const FAR = '2040-12-31'
const record: SharedRecord = { ...base, family: 'penalty', fields: {}, subject: '91320281MA1TE1000X' }
type Said = { grade?: Value; kinds?: Value; publishedUntil?: string; endedOn?: string; uncorrected?: true }

function last(decided: Value | undefined, said: Said = {}, today = FAR): string | undefined {
  const { grade, kinds, ...facts } = said
  const fields = Object.fromEntries(
    Object.entries({ decided, grade, kinds }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  return lastPublicDay({ ...record, ...facts, fields }, today, vocabulary)
}

describe('the publicity of a penalty decided since 2026-04-01 (order 36)', () => {
  it.each<[string, Said, string | undefined]>([
    ['general: one year at most', { grade: graded('general') }, '2027-05-06'],
    ['serious: three years at most', { grade: graded('serious') }, '2029-05-06'],
    ['minor: not published in principle', { grade: graded('minor') }, undefined],
    ['minor, and published until a day', { grade: graded('minor'), publishedUntil: '2026-06-30' }, '2026-06-30'],
    ['minor, and published for too long', { grade: graded('minor'), publishedUntil: '2027-05-06' }, '2026-08-06'],
    ['general, the table says later', { grade: graded('general'), publishedUntil: '2029-05-06' }, '2027-05-06'],
    ['general, the table says earlier', { grade: graded('general'), publishedUntil: '2026-09-01' }, '2026-09-01'],
    ['general, the table says for ever', { grade: graded('general'), publishedUntil: 'indefinite' }, '2027-05-06'],
    ['serious, taken off before', { grade: graded('serious'), endedOn: '2026-12-01' }, '2026-12-01'],
    [
      'general or serious, an end stated',
      { grade: either('general', 'serious'), publishedUntil: '2028-01-01' },
      '2028-01-01',
    ],
    ['general or serious, no end stated: the shorter', { grade: either('general', 'serious') }, '2027-05-06'],
    ['minor or general, no end stated: it may be unpublished', { grade: either('minor', 'general') }, undefined],
    ['no grade, an end stated: the longest there is', { publishedUntil: '2035-01-01' }, '2029-05-06'],
    ['no grade and no end: it may be unpublished', {}, undefined],
    [
      'a grade that did not translate is none',
      { grade: { untranslated: '较重' }, publishedUntil: '2035-01-01' },
      '2029-05-06',
    ],
    [
      'a warning alone is minor',
      { kinds: { codes: ['01'], original: '警告' }, publishedUntil: '2035-01-01' },
      '2026-08-06',
    ],
    [
      'a warning and 没收非法财物 are general',
      { kinds: { codes: ['01', '09'], original: '警告；没收' } },
      '2027-05-06',
    ],
    ['a revoked licence is serious', { kinds: { codes: ['01', '05'], original: '警告；吊销' } }, '2029-05-06'],
    ['a fine tells no grade without its amount', { kinds: { codes: ['01', '02'], original: '警告；罚款' } }, undefined],
    ['kinds of which one holds tell none', { kinds: either('01', '08') }, undefined],
    [
      'the grade stated outweighs the kinds',
      { grade: graded('general'), kinds: { codes: ['01'], original: '警告' } },
      '2027-05-06',
    ],
    [
      'not corrected: the end that its sector states',
      { grade: graded('general'), publishedUntil: '2030-01-01', uncorrected: true },
      '2030-01-01',
    ],
    ['not corrected, no end stated: the maximum', { grade: graded('general'), uncorrected: true }, '2027-05-06'],
  ])('%s', (_, said, expected) => {
    expect(last('2026-05-06', said)).toBe(expected)
  })

  it.each([
    ['2026-11-30', 'minor', '2027-02-28'],
    ['2027-11-30', 'minor', '2028-02-29'],
    ['2028-02-29', 'general', '2029-02-28'],
    ['2026-10-01', 'minor', '2027-01-01'],
    ['2026-12-31', 'serious', '2029-12-31'],
  ])('decided %s, %s, ends on %s, the last of a month where it has no such day', (decided, grade, end) => {
    expect(last(decided, { grade: graded(grade), publishedUntil: 'indefinite' })).toBe(
      grade === 'minor' ? undefined : end,
    )
    expect(last(decided, { grade: graded(grade), publishedUntil: FAR })).toBe(end)
  })
})

describe('the rule in force on the day of the decision', () => {
  it.each<[string, Said, string | undefined]>([
    // Before there was any: the city's own end, or it cannot be told.
    ['2016-07-08', { publishedUntil: '2035-01-01' }, '2035-01-01'],
    ['2016-07-08', { publishedUntil: 'indefinite' }, undefined],
    ['2019-06-30', {}, undefined],
    // 2019-07-01 to 2023-04-30, for penalties
    ['2019-07-01', { grade: graded('general'), publishedUntil: FAR }, '2020-07-01'],
    ['2023-04-30', { publishedUntil: FAR }, '2026-04-30'],
    // order 58: three years, whatever the grade
    ['2023-05-01', { grade: graded('general'), publishedUntil: FAR }, '2026-05-01'],
    ['2026-03-31', { grade: graded('minor') }, '2029-03-31'],
    // order 36
    ['2026-04-01', { grade: graded('general') }, '2027-04-01'],
  ])('counts for one of %s, %j', (decided, said, expected) => {
    expect(last(decided, said)).toBe(expected)
  })

  it('cannot be told without that day, nor for a day to come', () => {
    for (const decided of [undefined, { untranslated: '不详' }, 'indefinite', '2026-11-23']) {
      expect(last(decided, { grade: graded('general'), publishedUntil: FAR }, '2026-11-22')).toBeUndefined()
    }
  })
})

describe('the publicity', () => {
  const of = (family: string, list: string | undefined, over: Partial<SharedRecord>, fields: Record<string, Value>) =>
    lastPublicDay({ ...record, family, list, ...over, fields }, FAR, vocabulary)

  it('of a black list is that of serious dishonesty', () => {
    expect(of('list', 'wage-arrears', {}, { listed: '2026-05-06' })).toBe('2029-05-06')
    expect(of('list', 'local-black', { publishedUntil: FAR }, { listed: '2026-05-06' })).toBe('2029-05-06')
    expect(of('list', undefined, {}, { listed: '2026-05-06' })).toBe('2029-05-06')
  })

  it('of a black list of earlier days is as long as the city says, and else cannot be told', () => {
    expect(of('list', 'wage-arrears', { endedOn: '2027-01-01' }, { listed: '2025-05-06' })).toBe('2027-01-01')
    expect(of('list', 'local-black', {}, { listed: '2018-05-01' })).toBeUndefined()
  })

  it('of an honour, of a register of abnormal operation, of licences and ratings runs by no clock', () => {
    expect(of('list', 'honour', {}, {})).toBe('indefinite')
    expect(of('list', 'abnormal-operation', { publishedUntil: '2027-01-01' }, { listed: '2020-01-01' })).toBe(
      '2027-01-01',
    )
    for (const family of ['licence', 'rating', 'commitment', 'contract']) {
      expect(of(family, undefined, {}, {})).toBe('indefinite')
      expect(of(family, undefined, { publishedUntil: '2027-01-01' }, {})).toBe('2027-01-01')
    }
  })

  it('of a breach ends with what the city states, after three years at most', () => {
    expect(of('breach', undefined, { publishedUntil: '2027-01-01' }, { recorded: '2026-10-08' })).toBe('2027-01-01')
    expect(of('breach', undefined, { publishedUntil: FAR }, { recorded: '2026-10-08' })).toBe('2029-10-08')
    expect(of('breach', undefined, {}, { recorded: '2026-10-08' })).toBeUndefined()
  })
})

describe('whatever a table says', () => {
  const day = fc
    .date({ min: new Date('2014-01-01'), max: new Date('2041-12-31'), noInvalidDate: true })
    .map(date => date.toISOString().slice(0, 10))
  const said = fc.record(
    {
      grade: fc.oneof(
        fc.constantFrom('minor', 'general', 'serious').map(graded),
        fc.subarray(['minor', 'general', 'serious'], { minLength: 2 }).map(codes => either(...codes)),
        fc.constant<Value>({ untranslated: '较重' }),
      ),
      publishedUntil: fc.oneof(day, fc.constant('indefinite')),
      endedOn: fc.oneof(day, fc.constant('indefinite')),
    },
    { requiredKeys: [] },
  )

  it('a penalty is public neither beyond the end it states nor beyond the longest period of its day', () => {
    fc.assert(
      fc.property(day, said, (decided, facts) => {
        const end = last(decided, facts)
        if (end === undefined) return
        expect(end <= (facts.publishedUntil ?? 'indefinite')).toBe(true)
        expect(end <= (facts.endedOn ?? 'indefinite')).toBe(true)
        if (decided < '2019-07-01') return
        const { grade } = facts
        const lighter = typeof grade === 'object' && 'code' in grade && grade.code !== 'serious'
        const years = decided >= '2026-04-01' && lighter ? 1 : 3
        expect(end <= Temporal.PlainDate.from(decided).add({ years }).toString()).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  it('a grade that is known ends no later than the same one in doubt', () => {
    fc.assert(
      fc.property(day, day, fc.constantFrom('minor', 'general', 'serious'), (decided, publishedUntil, grade) => {
        fc.pre(decided <= FAR)
        const known = last(decided, { grade: graded(grade), publishedUntil })
        const doubted = last(decided, { publishedUntil })
        expect(known !== undefined && doubted !== undefined && known <= doubted).toBe(true)
      }),
    )
  })
})

describe('the end of publicity on the wire', () => {
  const subject = readSubject('91320281XX0000000R')
  const clause = {
    clause: '第三条',
    kinds: new Set(subjectKinds),
    level: 'public' as const,
    fields: new Set(['decided', 'publishedUntil']),
    lists: undefined,
    schemes: undefined,
  }
  const ground = { giver: 'jiangyin', vocabulary, families: new Map([['penalty', [clause]]]) }
  /** The end that leaves of a general penalty decided on 2026-05-06, whose table states an end. */
  const leaving = (stated: string | undefined, over: Partial<SharedRecord> = {}) => {
    const fields = { decided: '2026-05-06', grade: graded('general'), ...(stated && { publishedUntil: stated }) }
    const found = { ...record, subject: subject.uscc, publishedUntil: stated, fields, ...over }
    const records = new Map([[subject.uscc as string, [found]]])
    const shared = [{ family: 'penalty', records, freshness: { family: 'penalty', status: 'fresh' as const } }]
    return given(subject, shared, ground, '2026-11-22').records[0]?.fields['publishedUntil']
  }

  it.each<[string, string | undefined, Partial<SharedRecord>, string]>([
    ['that of the rule where the table says later', '2029-05-06', {}, '2027-05-06'],
    ['that of the rule where the table says for ever', 'indefinite', {}, '2027-05-06'],
    ['that of the rule where the table says nothing', undefined, {}, '2027-05-06'],
    ['that of the table where it is earlier', '2027-01-01', {}, '2027-01-01'],
    ['that of its sector while nothing was corrected', '2028-01-01', { uncorrected: true }, '2028-01-01'],
    ['no other for the day on which it is taken off its list', '2029-05-06', { endedOn: '2027-02-01' }, '2027-05-06'],
  ])('is %s', (_, stated, over, end) => {
    expect(leaving(stated, over)).toBe(end)
  })
})
