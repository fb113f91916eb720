/** What follows from a foreign record: only what our own list says, only while the record may be used, and never more than is known. */
import { describe, expect, it } from 'vitest'
import {
  denying,
  elsewhere,
  type MeasureList,
  offered,
  readMeasures,
  useOf,
  vetoPurposes,
} from '#agreement/measures.ts'
import { recognise } from '#agreement/recognise.ts'
import type { Value, WireRecord } from '#protocol/message.ts'
import { vocabulary } from '../schema/cities.ts'
import { entryOn } from './entries.ts'
import { changeFirst, faultsAfter, huizhou, jiangyin, measureLists as lists } from './measure-lists.ts'
import { today } from './shipped.ts'
import { exchange } from './veto.ts'

const measuresOf = (record: WireRecord, own: MeasureList | undefined, over: Partial<typeof exchange> = {}) =>
  offered(record, recognise(record, { ...exchange, ...over }, vocabulary), own, over.today ?? today)

describe('the measure lists', () => {
  it('of all six cities name only what the vocabulary has, and together use all of it', () => {
    expect([...lists.keys()].sort()).toEqual(['huizhou', 'jiangyin', 'jimo', 'ningbo', 'quzhou', 'suqian'])
    const used = new Set([...lists.values()].flatMap(({ measures }) => measures.map(({ of }) => of)))
    expect([...(vocabulary.sets.get('measures')?.keys() ?? [])].filter(code => !used.has(code))).toEqual([])
    for (const purpose of vetoPurposes(vocabulary)) {
      for (const list of lists.values()) expect(denying(list, purpose, today).size, list.city).toBeGreaterThan(0)
    }
  })

  it.each<[string, (list: MeasureList) => void, RegExp, RegExp]>([
    ['a city that is not its file’s', list => Object.assign(list, { city: 'suqian' }), /^city$/, /file name/],
    [
      'a measure of no vocabulary',
      list => changeFirst(list, { of: 'gossip' }),
      /^measures\[0\]\.of$/,
      /measure gossip/,
    ],
    ['a list of no vocabulary', list => changeFirst(list, { lists: ['gossip'] }), /lists$/, /list gossip/],
    [
      'a list that is not severe',
      list => changeFirst(list, { lists: ['abnormal-operation'] }),
      /lists$/,
      /no severe list/,
    ],
    ['a list by counting', list => changeFirst(list, { lists: ['computed-black'] }), /lists$/, /no severe list/],
    ['a purpose that is no veto', list => changeFirst(list, { denies: ['tendering'] }), /denies$/, /no veto purpose/],
    ['a measure twice', list => changeFirst(list, { code: 'land-bidding' }), /\[1\]\.code$/, /stands twice/],
    [
      'an end before the beginning',
      list => changeFirst(list, { validFrom: '2026-02-01', validTo: '2026-01-01' }),
      /validTo$/,
      /ends before/,
    ],
    ['a period in days', list => changeFirst(list, { period: 'P30D' }), /period$/, /./],
    ['no rule for objections', list => Object.assign(list, { objection: undefined }), /^objection$/, /./],
  ])('with %s are refused, and the place is told', (_, change, path, problem) => {
    const faults = faultsAfter(change)
    expect(faults.filter(fault => path.test(fault.path) && problem.test(fault.problem))).not.toEqual([])
    for (const { remedy } of faults) expect(remedy).not.toBe('')
  })

  it('with a veto purpose that is no purpose are refused', () => {
    const sets = new Map(vocabulary.sets)
    const [term] = sets.get('veto-purposes')?.values() ?? []
    if (term === undefined) throw new RangeError('no veto purpose')
    sets.set('veto-purposes', new Map([['curiosity', { ...term, code: 'curiosity' }]]))
    expect(() => readMeasures([], { ...vocabulary, sets })).toThrow(/veto purpose curiosity is no purpose/)
  })
})

describe('a measure', () => {
  it('is offered where our own list has it for that list, and nothing else is', () => {
    for (const type of ['wage-arrears', 'tax-major-violation', 'procurement-serious']) {
      for (const own of lists.values()) {
        const expected = own.measures.filter(measure => measure.lists.includes(type)).map(({ code }) => code)
        const to = own.city === 'huizhou' ? { from: 'jiangyin', to: 'huizhou' } : {}
        expect(
          measuresOf(entryOn(type), own, to).map(({ code }) => code),
          own.city,
        ).toEqual(expected)
      }
    }
    expect(measuresOf(entryOn('wage-arrears'), undefined)).toEqual([])
  })

  it('is not offered for what is information, refused, no list, or an honour', () => {
    const own = jiangyin
    for (const record of [
      entryOn('local-black'),
      entryOn('computed-black'),
      entryOn('judgment-defaulter'),
      entryOn('wage-arrears', { document: '' }),
      entryOn('tax-a'),
      { ...entryOn('wage-arrears'), family: 'penalty' },
    ]) {
      expect(measuresOf(record, own), record.id).toEqual([])
    }
  })

  it('ends with its record, or with its own period where that is shorter', () => {
    const until = (fields: Readonly<Record<string, Value>>, code: string) => {
      const found = measuresOf(entryOn('wage-arrears', fields), huizhou, { from: 'jiangyin', to: 'huizhou' })
      return found.find(each => each.code === code)?.until
    }
    const open = { publishedUntil: 'indefinite' }
    expect(until({ publishedUntil: '2027-05-01' }, 'land-bidding')).toBe('2027-05-01')
    expect(until({ publishedUntil: '2027-05-01', removed: '2027-01-01' }, 'land-bidding')).toBe('2026-12-31')
    expect(until(open, 'land-bidding')).toBeUndefined()
    expect(until(open, 'huizhou-construction')).toBe('2028-04-30')
    expect(until({ publishedUntil: '2027-05-01' }, 'huizhou-construction')).toBe('2027-05-01')
    const past = { ...open, listed: '2024-11-22' }
    expect(until(past, 'huizhou-construction')).toBeUndefined()
    const codes = measuresOf(entryOn('wage-arrears', past), huizhou, { from: 'jiangyin', to: 'huizhou' })
    expect(codes.map(({ code }) => code)).not.toContain('huizhou-construction')
  })

  it('of another city is told only where it holds there alone, and for that city’s own word of the list', () => {
    const recognition = recognise(entryOn('wage-arrears'), exchange, vocabulary)
    expect(elsewhere(recognition, huizhou, today).map(({ code }) => code)).toEqual(['huizhou-construction'])
    expect(elsewhere(recognition, jiangyin, today)).toEqual([])
    expect(elsewhere(undefined, huizhou, today)).toEqual([])
  })
})

describe('a record', () => {
  const use = (fields: Readonly<Record<string, Value>>, objection = false, own = jiangyin) =>
    useOf(entryOn('wage-arrears', fields, objection ? { objection } : {}), own, today)

  it('may be used to the end of its last day of publicity, and not on the day of its removal', () => {
    expect(use({ publishedUntil: today })).toEqual({ until: today })
    expect(use({ publishedUntil: '2026-11-21' })).toEqual({ why: 'record.ended' })
    expect(use({ removed: today })).toEqual({ why: 'record.ended' })
    expect(use({ removed: '2026-11-23' })).toEqual({ until: today })
    expect(use({ publishedUntil: 'indefinite', removed: 'indefinite' })).toEqual({})
  })

  it('whose end cannot be read may not be used', () => {
    expect(use({ publishedUntil: { untranslated: '不详' } })).toEqual({ why: 'recognition.date' })
  })

  it('under objection is suspended or annotated by our own rule, and suspended where we have none', () => {
    expect(use({}, true)).toEqual({ why: 'measure.objection' })
    expect(useOf(entryOn('wage-arrears', {}, { objection: true }), undefined, today)).toEqual({
      why: 'measure.objection',
    })
    const annotated = { ...jiangyin, objection: { ...jiangyin.objection, use: 'annotated' as const } }
    expect(use({}, true, annotated)).toEqual({ until: '2027-05-01' })
  })
})
