/** The edges of measures: what a list of them may say, the first and the last day of a measure, and what an entry has to be. */
import { describe, expect, it } from 'vitest'
import {
  denying,
  elsewhere,
  type MeasureList,
  Offered,
  offered,
  readMeasures,
  useOf,
  vetoPurposes,
} from '#agreement/measures.ts'
import { type Recognition, recognise } from '#agreement/recognise.ts'
import type { Fault } from '#protocol/fault.ts'
import type { Value, WireRecord } from '#protocol/message.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { vocabulary } from '../schema/cities.ts'
import { entryOn } from './entries.ts'
import { changeFirst, faultsAfter, huizhou, jiangyin } from './measure-lists.ts'
import { today } from './shipped.ts'
import { exchange } from './veto.ts'

const certain = recognise(entryOn('wage-arrears'), exchange, vocabulary)
if (certain === undefined) throw new RangeError('an entry is recognised or not')
const CONSTRUCTION = 'huizhou-construction'
const open = { publishedUntil: 'indefinite' }

/** What Huizhou offers for an entry, as it is recognised unless a test says otherwise. */
const offeredFor = (
  record: WireRecord,
  own: MeasureList = huizhou,
  recognition: Recognition | undefined = certain,
  on = today,
) => offered(record, recognition, own, on)
const construction = (fields: Readonly<Record<string, Value>>, on = today) =>
  offeredFor(entryOn('wage-arrears', fields), huizhou, certain, on).find(({ code }) => code === CONSTRUCTION)
const withMeasures = (change: object): MeasureList => ({
  ...huizhou,
  measures: huizhou.measures.map(measure => (measure.code === CONSTRUCTION ? { ...measure, ...change } : measure)),
})

describe('a list of measures', () => {
  it.each<[string, (list: MeasureList) => void]>([
    ['an open beginning', list => changeFirst(list, { validFrom: null, validTo: '2026-01-01' })],
    ['an open end', list => changeFirst(list, { validFrom: '2026-01-01', validTo: null })],
    ['a measure of one day', list => changeFirst(list, { validFrom: '2026-01-01', validTo: '2026-01-01' })],
    ['a period of more than nine months', list => changeFirst(list, { period: 'P18M' })],
    ['a period of twenty years', list => changeFirst(list, { period: 'P20Y' })],
    ['objections annotated', list => Object.assign(list.objection, { use: 'annotated' })],
  ])('may have %s', (_, change) => {
    expect(faultsAfter(change)).toEqual([])
  })

  it('may deny several purposes by one measure', () => {
    const sets = new Map(vocabulary.sets)
    sets.set('veto-purposes', vocabulary.purposes)
    const denies = [...vocabulary.purposes.keys()]
    expect(denies.length).toBeGreaterThan(1)
    expect(faultsAfter(list => changeFirst(list, { denies }), { ...vocabulary, sets })).toEqual([])
  })

  it.each(['P2Y and more', 'aP2Y', 'P0Y', 'P100Y', 'P2x', 'P2xY', 'P2', 'P1Y6M', 'P2D'])(
    'may not have the period %s',
    period => {
      expect(faultsAfter(list => changeFirst(list, { period })).map(({ path }) => path)).toEqual(['measures[0].period'])
    },
  )

  it.each([
    ['no list that triggers a measure', { lists: [] }, 'measures[0].lists'],
    ['no purpose among those that it denies', { denies: [] }, 'measures[0].denies'],
  ])('may not have %s', (_, change, path) => {
    expect(faultsAfter(list => changeFirst(list, change)).map(fault => fault.path)).toEqual([path])
  })

  it('is told what to do where a veto purpose is no purpose: the fault is of the vocabulary', () => {
    const purposes = new Map([...vocabulary.purposes].filter(([code]) => code !== 'fiscal-funds'))
    const fault: Fault = {
      file: 'vocabulary',
      path: 'veto-purposes',
      problem: 'the veto purpose fiscal-funds is no purpose',
      remedy: 'Use a code of purposes',
    }
    expect(() => readMeasures([], { ...vocabulary, purposes })).toThrow(expect.objectContaining({ faults: [fault] }))
  })

  it('has no known measure and denies nothing by a vocabulary without the sets of these', () => {
    const sets = new Map(vocabulary.sets)
    sets.delete('measures')
    sets.delete('veto-purposes')
    const without: Vocabulary = { ...vocabulary, sets }
    expect(vetoPurposes(without)).toEqual(new Set())
    const problems = faultsAfter(() => {}, without).map(({ problem }) => problem)
    expect(problems).toContain('measure fiscal-funds is not known')
    expect(problems).toContain('fiscal-funds is no veto purpose')
  })
})

describe('a measure', () => {
  it('is offered with all that is known of it, and with no more', () => {
    const [first] = offeredFor(entryOn('wage-arrears', open))
    expect(first).toStrictEqual({
      code: 'fiscal-funds-veto',
      zh: '财政性资金扶助“一票否决”',
      en: 'Fiscal support vetoed',
      of: 'fiscal-funds',
      basis: '国办发〔2020〕49号（七）；全国失信惩戒措施基础清单',
      denies: ['fiscal-funds'],
    })
    const territorial = {
      code: CONSTRUCTION,
      zh: '两年内禁止承接惠州建筑工程',
      en: 'No construction works in Huizhou for two years',
      of: 'market-access',
      basis: '国办发〔2020〕49号（七）；全国失信惩戒措施基础清单',
      territorial: true,
      until: '2027-05-01',
    }
    expect(construction({})).toStrictEqual(territorial)
    expect(Offered.parse(territorial)).toEqual(territorial)
  })

  it('holds for its period from the day of the entry, on its last day still, and never beyond the entry', () => {
    expect(construction({ ...open, listed: '2024-11-23' })?.until).toBe(today)
    expect(offeredFor(entryOn('wage-arrears', { ...open, listed: '2024-11-22' })).map(({ code }) => code)).toEqual([
      'fiscal-funds-veto',
      'land-bidding',
    ])
    expect(construction({ publishedUntil: '2029-05-01' })?.until).toBe('2028-04-30')
    expect(construction({ publishedUntil: '2028-04-29' })?.until).toBe('2028-04-29')
    // The same day of the month, or its last where there is none.
    expect(construction({ ...open, listed: '2024-02-29' }, '2025-01-01')?.until).toBe('2026-02-27')
  })

  it.each(['', 'indefinite', '2025-02-29', { untranslated: '去年' }])(
    'with a period ends with its entry where that is listed on no day: %j',
    listed => {
      expect(construction({ listed })?.until).toBe('2027-05-01')
      expect(construction({ ...open, listed })).toBeDefined()
      expect(construction({ ...open, listed })).not.toHaveProperty('until')
    },
  )

  it('is offered from its first day to its last, both included', () => {
    const own = withMeasures({ validFrom: '2026-11-01', validTo: '2026-11-30' })
    const on = (day: string) =>
      offeredFor(entryOn('wage-arrears'), own, certain, day).some(each => each.code === CONSTRUCTION)
    expect(['2026-10-31', '2026-11-01', '2026-11-30', '2026-12-01'].map(on)).toEqual([false, true, true, false])
    const told = (day: string) => elsewhere(certain, own, day).length
    expect(['2026-10-31', '2026-11-01', '2026-11-30', '2026-12-01'].map(told)).toEqual([0, 1, 1, 0])
  })

  it.each<[string, WireRecord]>([
    ['is over', entryOn('wage-arrears', { publishedUntil: '2026-11-21' })],
    ['ends nobody knows when', entryOn('wage-arrears', { removed: '2027-02-29' })],
    ['is under objection', entryOn('wage-arrears', {}, { objection: true })],
    ['is no entry on a list', { ...entryOn('wage-arrears'), family: 'rating' }],
  ])('is not offered for what %s, whatever it is recognised as', (_, record) => {
    expect(offeredFor(record)).toEqual([])
  })

  it('is not offered for what may be something else here, or is not recognised though a word stands beside it', () => {
    const { as, ...nothing } = certain
    for (const recognition of [
      { ...certain, outcome: 'informational' as const },
      { ...certain, outcome: 'refused' as const },
      { ...certain, ambiguous: true as const },
      nothing,
    ]) {
      expect(offered(entryOn('wage-arrears'), recognition, huizhou, today)).toEqual([])
    }
    expect(offered(entryOn('wage-arrears'), undefined, huizhou, today)).toEqual([])
    expect(offered(entryOn('wage-arrears'), certain, undefined, today)).toEqual([])
  })

  it('is offered for what an entry is here, and told of elsewhere for what it is there', () => {
    const [word] = recognise(entryOn('procurement-serious'), exchange, vocabulary)?.as ?? []
    if (word === undefined) throw new RangeError('not recognised')
    const other: Recognition = { ...certain, as: [word] }
    expect(offeredFor(entryOn('wage-arrears'), huizhou, other).map(({ code }) => code)).toEqual([
      'fiscal-funds-veto',
      'land-bidding',
      'grain-procurement',
    ])
    const { until: _, ...territorial } = construction({}) ?? {}
    expect(elsewhere(other, huizhou, today)).toStrictEqual([territorial])
    expect(elsewhere({ ...other, original: { text: '黑名单' } }, huizhou, today)).toEqual([])
  })
})

describe('a record', () => {
  it.each([{}, { publishedUntil: '' }, { publishedUntil: 'indefinite', removed: '' }])(
    'without an end has none: %j',
    fields => {
      expect(useOf({ id: '1', family: 'list', fields }, jiangyin, today)).toStrictEqual({})
    },
  )

  it.each([
    { publishedUntil: '2026-11-31' },
    { removed: '2027-02-29' },
    { removed: '2027-13-01' },
    { publishedUntil: '2027-05-01', removed: '2027-5-1' },
  ])('whose end is a day that never was may not be used: %j', fields => {
    expect(useOf({ id: '1', family: 'list', fields }, jiangyin, today)).toEqual({ why: 'recognition.date' })
  })

  it('ends on the first of its ends, and is over before any objection to it counts', () => {
    const use = (fields: Record<string, Value>) =>
      useOf(entryOn('wage-arrears', fields, { objection: true }), jiangyin, today)
    const annotated = { ...jiangyin, objection: { ...jiangyin.objection, use: 'annotated' as const } }
    const both = entryOn('wage-arrears', { publishedUntil: '2027-05-01', removed: '2027-03-01' }, { objection: true })
    expect(useOf(both, annotated, today)).toStrictEqual({ until: '2027-02-28' })
    expect(use({ removed: today })).toEqual({ why: 'record.ended' })
    expect(use({ removed: '2026-11-23' })).toEqual({ why: 'measure.objection' })
  })
})

describe('a purpose is denied', () => {
  it('by the lists of the measures that deny it, and of no others', () => {
    expect([...denying(huizhou, 'fiscal-funds', today)]).toEqual(huizhou.measures[0]?.lists)
    const measures = [
      ...withMeasures({ lists: ['customs-serious'], denies: ['fiscal-funds'] }).measures,
      ...withMeasures({ lists: ['culture-tourism'], denies: ['tendering'] }).measures,
    ]
    const lists = denying({ ...huizhou, measures }, 'fiscal-funds', today)
    expect([lists.has('customs-serious'), lists.has('culture-tourism')]).toEqual([true, false])
    expect(denying(huizhou, 'tendering', today)).toEqual(new Set())
    expect(denying(undefined, 'fiscal-funds', today)).toEqual(new Set())
  })

  it('while the measure is in force', () => {
    const own = withMeasures({
      lists: ['customs-serious'],
      denies: ['fiscal-funds'],
      validFrom: '2026-11-01',
      validTo: '2026-11-30',
    })
    const on = (day: string) => denying(own, 'fiscal-funds', day).has('customs-serious')
    expect(['2026-10-31', '2026-11-01', '2026-11-30', '2026-12-01'].map(on)).toEqual([false, true, true, false])
  })
})
