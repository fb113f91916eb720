/** What follows from a foreign record: only what our own list says, only while the record may be used, and never more than is known. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Agreement } from '#agreement/agreement.ts'
import { scopeOf } from '#agreement/authorise.ts'
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
import { type Case, noVerdict, together, Verdict, verdictOf } from '#agreement/verdict.ts'
import { digest } from '#protocol/canonical.ts'
import { type ConfigFile, ConfigurationError, type Fault } from '#protocol/fault.ts'
import type { Freshness, Value, WireRecord } from '#protocol/message.ts'
import { told } from '#protocol/refusal.ts'
import { readSubject } from '#protocol/subject.ts'
import { vocabulary } from '../schema/cities.ts'

const home = join(import.meta.dirname, '../..')
const folder = join(home, 'federation-config/measures')
const files: readonly ConfigFile[] = readdirSync(folder).map(name => ({
  file: `measures/${name}`,
  text: readFileSync(join(folder, name), 'utf8'),
}))
const lists = readMeasures(files, vocabulary)
const [jiangyin, huizhou] = ['jiangyin', 'huizhou'].map(city => lists.get(city))
const agreement = Agreement.parse(
  JSON.parse(readFileSync(join(home, 'federation-config/agreements/jiangyin-huizhou-2026.json'), 'utf8')),
)
const today = '2026-11-22'
const exchange = { agreement, from: 'huizhou', to: 'jiangyin', today }

function entry(type: string, fields: Readonly<Record<string, Value>> = {}, objection = false): WireRecord {
  const stated = {
    authority: '某局',
    document: '某演示〔2026〕1号',
    listed: '2026-05-01',
    publishedUntil: '2027-05-01',
  }
  return {
    id: `${type}-1`,
    family: 'list',
    fields: { type: { code: type, original: type }, ...stated, ...fields },
    ...(objection && { objection: true as const }),
  }
}

const measuresOf = (record: WireRecord, own: MeasureList | undefined, over: Partial<typeof exchange> = {}) =>
  offered(record, recognise(record, { ...exchange, ...over }, vocabulary), own, over.today ?? today)

function faultsAfter(change: (list: MeasureList) => void): readonly Fault[] {
  const [file] = files.filter(each => each.file.endsWith('huizhou.json'))
  const list: MeasureList = JSON.parse(file?.text ?? '')
  change(list)
  try {
    readMeasures([{ file: 'measures/huizhou.json', text: JSON.stringify(list) }], vocabulary)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

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
    ['a measure of no vocabulary', list => set(list, { of: 'gossip' }), /^measures\[0\]\.of$/, /measure gossip/],
    ['a list of no vocabulary', list => set(list, { lists: ['gossip'] }), /lists$/, /list gossip/],
    ['a list that is not severe', list => set(list, { lists: ['abnormal-operation'] }), /lists$/, /no severe list/],
    ['a list by counting', list => set(list, { lists: ['computed-black'] }), /lists$/, /no severe list/],
    ['a purpose that is no veto', list => set(list, { denies: ['tendering'] }), /denies$/, /no veto purpose/],
    ['a measure twice', list => set(list, { code: 'land-bidding' }), /\[1\]\.code$/, /stands twice/],
    [
      'an end before the beginning',
      list => set(list, { validFrom: '2026-02-01', validTo: '2026-01-01' }),
      /validTo$/,
      /ends before/,
    ],
    ['a period in days', list => set(list, { period: 'P30D' }), /period$/, /./],
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

function set(list: MeasureList, change: Readonly<Record<string, unknown>>): void {
  Object.assign(list.measures[0] ?? {}, change)
}

describe('a measure', () => {
  it('is offered where our own list has it for that list, and nothing else is', () => {
    for (const type of ['wage-arrears', 'tax-major-violation', 'procurement-serious']) {
      for (const own of lists.values()) {
        const expected = own.measures.filter(measure => measure.lists.includes(type)).map(({ code }) => code)
        const to = own.city === 'huizhou' ? { from: 'jiangyin', to: 'huizhou' } : {}
        expect(
          measuresOf(entry(type), own, to).map(({ code }) => code),
          own.city,
        ).toEqual(expected)
      }
    }
    expect(measuresOf(entry('wage-arrears'), undefined)).toEqual([])
  })

  it('is not offered for what is information, refused, no list, or an honour', () => {
    const own = jiangyin
    for (const record of [
      entry('local-black'),
      entry('computed-black'),
      entry('judgment-defaulter'),
      entry('wage-arrears', { document: '' }),
      entry('tax-a'),
      { ...entry('wage-arrears'), family: 'penalty' },
    ]) {
      expect(measuresOf(record, own), record.id).toEqual([])
    }
  })

  it('ends with its record, or with its own period where that is shorter', () => {
    const until = (fields: Readonly<Record<string, Value>>, code: string) => {
      const found = measuresOf(entry('wage-arrears', fields), huizhou, { from: 'jiangyin', to: 'huizhou' })
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
    const codes = measuresOf(entry('wage-arrears', past), huizhou, { from: 'jiangyin', to: 'huizhou' })
    expect(codes.map(({ code }) => code)).not.toContain('huizhou-construction')
  })

  it('of another city is told only where it holds there alone, and for that city’s own word of the list', () => {
    const recognition = recognise(entry('wage-arrears'), exchange, vocabulary)
    expect(elsewhere(recognition, huizhou, today).map(({ code }) => code)).toEqual(['huizhou-construction'])
    expect(elsewhere(recognition, jiangyin, today)).toEqual([])
    expect(elsewhere(undefined, huizhou, today)).toEqual([])
  })
})

describe('a record', () => {
  const use = (fields: Readonly<Record<string, Value>>, objection = false, own = jiangyin) =>
    useOf(entry('wage-arrears', fields, objection), own, today)

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
    expect(useOf(entry('wage-arrears', {}, true), undefined, today)).toEqual({ why: 'measure.objection' })
    if (jiangyin === undefined) throw new RangeError('no list')
    const annotated = { ...jiangyin, objection: { ...jiangyin.objection, use: 'annotated' as const } }
    expect(use({}, true, annotated)).toEqual({ until: '2027-05-01' })
  })
})

const signed = { text: agreement, digest: digest(agreement), begins: 0, ends: Number.POSITIVE_INFINITY }
const ask = { from: 'huizhou', to: 'jiangyin', purpose: 'fiscal-funds' }
const scope = scopeOf(signed, { ...ask, want: [{ family: 'list' }, { family: 'penalty' }] }, vocabulary)
const subject = readSubject('91441300195971850Y')

function judged(records: readonly WireRecord[], over: Partial<Case> = {}) {
  const freshness: Freshness[] = ['list', 'penalty'].map(family => ({ family, status: 'fresh' }))
  const seen = records.map(shared => ({ shared, recognition: recognise(shared, { ...exchange, ...over }, vocabulary) }))
  return verdictOf(
    {
      ...exchange,
      purpose: 'fiscal-funds',
      subject,
      own: jiangyin,
      scope,
      freshness,
      result: { status: 'answered' },
      records: seen,
      ...over,
    },
    vocabulary,
  )
}

describe('a verdict', () => {
  it('names the record, its basis, grade and end where it is no', () => {
    expect(judged([entry('wage-arrears')])).toMatchObject({
      verdict: 'no',
      reliedOn: [
        {
          city: 'huizhou',
          id: 'wage-arrears-1',
          basis: '人力资源和社会保障部令第45号',
          grade: { code: 'serious' },
          listed: '2026-05-01',
          until: '2027-05-01',
        },
      ],
    })
  })

  it('is not no for a penalty, however serious: a veto rests on a list', () => {
    const fields = { grade: { code: 'serious', original: '严重' }, decided: '2026-10-01' }
    expect(judged([{ id: '1', family: 'penalty', fields }]).verdict).toBe('yes')
  })

  it('is unknown where our own list has no measure for the purpose, and where there is no list at all', () => {
    for (const own of [undefined, jiangyin && { ...jiangyin, measures: [] }]) {
      const { verdict, why, setAside } = judged([entry('wage-arrears')], { own })
      expect([verdict, why.map(({ code }) => code)]).toEqual(['unknown', ['measure.none']])
      expect(setAside.map(each => each.why.code)).toEqual(['measure.none'])
    }
  })

  it('is unknown where one denying list is not recognised, though it is no where another one speaks', () => {
    const rows = agreement.recognition?.map(table =>
      table.kind === 'list' ? { ...table, rows: table.rows.filter(({ of }) => of !== 'work-safety') } : table,
    )
    const without = { agreement: { ...agreement, recognition: rows } }
    expect(judged([], without)).toMatchObject({ verdict: 'unknown', why: [{ code: 'measure.incomplete' }] })
    expect(judged([entry('wage-arrears')], without).verdict).toBe('no')
  })

  it.each<[string, WireRecord, string]>([
    ['speaks of a broken commitment', entry('wage-arrears', { reason: '欠薪，未履行承诺' }), 'record.escalation-doubt'],
    ['is a notice by its own city', { ...entry('wage-arrears'), notice: true }, 'record.notice'],
    ['says it was made by counting', entry('wage-arrears', { reason: '系统自动列入' }), 'record.computed'],
  ])(
    'is unknown where an entry on a severe list %s: it is neither relied on nor taken for nothing',
    (_, record, why) => {
      const verdict = judged([record])
      expect(verdict).toMatchObject({ verdict: 'unknown', reliedOn: [], why: [{ code: 'measure.incomplete' }] })
      expect(verdict.setAside.map(each => each.why.code)).toEqual([why])
    },
  )

  it('is unknown where there is an entry of which its city cannot tell, and no where another one speaks all the same', () => {
    const result = {
      status: 'unknown' as const,
      unknown: [{ family: 'list', rule: 'record.undetermined' as const }],
    }
    expect(judged([], { result })).toMatchObject({ verdict: 'unknown', why: [{ code: 'record.undetermined' }] })
    expect(judged([entry('wage-arrears')], { result })).toMatchObject({ verdict: 'no', setAside: [], why: [] })
  })

  it('is unknown where nobody can read since when an entry is on a severe list', () => {
    const { verdict, setAside } = judged([entry('wage-arrears', { listed: { untranslated: '去年' } })])
    expect([verdict, setAside.map(({ why }) => why.code)]).toEqual(['unknown', ['recognition.date']])
  })

  it('is unknown where the end of an entry cannot be read', () => {
    const { verdict, why } = judged([entry('wage-arrears', { publishedUntil: { untranslated: '不详' } })])
    expect([verdict, why.map(({ code }) => code)]).toEqual(['unknown', ['recognition.date']])
  })

  it('is not touched by another family that is unknown or stale', () => {
    const freshness: Freshness[] = [
      { family: 'list', status: 'fresh' },
      { family: 'penalty', status: 'stale' },
    ]
    const result = { status: 'stale' as const, unknown: [{ family: 'penalty', rule: 'source.stale' as const }] }
    expect(judged([], { freshness, result }).verdict).toBe('yes')
  })

  it('is unknown for a city that did not answer, and over all cities no outweighs unknown and unknown outweighs yes', () => {
    const [no, yes] = [judged([entry('wage-arrears')]), judged([])]
    const unknown = noVerdict(told('peer.slow'))
    expect([no, yes, unknown].map(({ verdict }) => verdict)).toEqual(['no', 'yes', 'unknown'])
    expect(together([yes, yes]).verdict).toBe('yes')
    expect(together([yes, unknown]).verdict).toBe('unknown')
    expect(together([yes, unknown, no])).toMatchObject({ verdict: 'no', reliedOn: no.reliedOn, why: unknown.why })
    expect(together([]).verdict).toBe('unknown')
  })

  it('rests on nothing that is not recognised, usable and on our own list; and is yes only of a list that is fresh and whole', () => {
    const day = fc.constantFrom<Value>('2026-11-21', today, '2027-01-01', 'indefinite', { untranslated: '不详' })
    const text = fc.constantFrom('', '某局')
    const record = fc
      .record({
        type: fc.constantFrom(...vocabulary.lists.keys()),
        fields: fc.record({ publishedUntil: day, removed: day, authority: text, document: text }, { requiredKeys: [] }),
        objection: fc.boolean(),
      })
      .map(({ type, fields, objection }) => entry(type, fields, objection))
    const status = fc.constantFrom<Freshness['status']>('fresh', 'stale', 'unknown')
    const own = fc.constantFrom(...lists.values())
    fc.assert(
      fc.property(fc.array(record, { maxLength: 4 }), status, own, fc.nat(3), (records, status, own, less) => {
        const unknown = status === 'fresh' ? [] : [{ family: 'list', rule: 'source.stale' as const }]
        const narrow = less === 0 ? [{ family: 'list', fields: ['reason'] }] : [{ family: 'list' }]
        const verdict = judged(records, {
          own,
          scope: scopeOf(signed, { ...ask, want: narrow }, vocabulary),
          freshness: [{ family: 'list', status }],
          result: { status: status === 'fresh' ? 'answered' : status, ...(unknown.length > 0 && { unknown }) },
        })
        expect(Verdict.safeParse(verdict).error).toBeUndefined()
        expect(verdict.verdict === 'no').toBe(verdict.reliedOn.length > 0)
        expect(verdict.verdict === 'unknown').toBe(verdict.why.length > 0)
        if (status !== 'fresh') expect(verdict.verdict).toBe('unknown')
        if (less === 0) expect(verdict.verdict).not.toBe('yes')
        for (const { list, until = today, measures, id } of verdict.reliedOn) {
          expect(vocabulary.lists.get(list.code)?.severe).toBe(true)
          expect(until >= today).toBe(true)
          expect(own.measures.map(({ code }) => code)).toEqual(expect.arrayContaining(measures.map(({ code }) => code)))
          expect(records.some(each => each.id === id && !each.objection)).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})
