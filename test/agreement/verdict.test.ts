/** A veto check: what makes it no, what is named and set aside, and everything that keeps a clean answer from being yes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recognise } from '#agreement/recognise.ts'
import type { RecognitionRow, RecognitionTable } from '#agreement/recognition.ts'
import { type Case, noVerdict, together, Verdict } from '#agreement/verdict.ts'
import type { Freshness, Value, WireRecord } from '#protocol/message.ts'
import { type RefusalCode, told } from '#protocol/refusal.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { vocabulary } from '../schema/cities.ts'
import { entryOn } from './entries.ts'
import { jiangyin, measureLists } from './measure-lists.ts'
import { shipped, today } from './shipped.ts'
import { exchange, judged, wanting } from './veto.ts'

const YES: Verdict = { verdict: 'yes', reliedOn: [], setAside: [], why: [] }
const DENYING = [
  'tax-major-violation',
  'market-serious-violation',
  'wage-arrears',
  'procurement-serious',
  'work-safety',
]
const annotated = { ...jiangyin, objection: { ...jiangyin.objection, use: 'annotated' as const } }

/** The verdict, why it is unknown, and why entries were set aside, by their codes. */
function codesOf({ verdict, why, setAside }: Verdict) {
  return [verdict, why.map(({ code }) => code), setAside.map(each => each.why.code)]
}

/** The agreement with its table of lists changed. */
function withTable(change: (table: RecognitionTable) => RecognitionTable | readonly RecognitionTable[]) {
  const recognition = shipped.recognition?.flatMap(table => (table.kind === 'list' ? change(table) : table))
  return { agreement: { ...shipped, recognition } }
}

const withRows = (change: (row: RecognitionRow) => readonly RecognitionRow[]) =>
  withTable(table => ({ ...table, rows: table.rows.flatMap(change) }))

/** The vocabulary with one list changed. */
function withList(code: string, change: object): Vocabulary {
  const list = vocabulary.lists.get(code)
  if (list === undefined) throw new RangeError(`no list ${code}`)
  return { ...vocabulary, lists: new Map([...vocabulary.lists, [code, { ...list, ...change }]]) }
}

describe('a verdict is no', () => {
  const measure = {
    code: 'fiscal-funds-veto',
    zh: '不予安排财政性资金',
    en: 'No fiscal funds',
    of: 'fiscal-funds',
    basis: '国办发〔2020〕49号（七）；全国失信惩戒措施基础清单',
    denies: ['fiscal-funds'],
    until: '2027-05-01',
  }
  const ground = {
    city: 'huizhou',
    id: 'wage-arrears-1',
    list: { code: 'wage-arrears', zh: '拖欠农民工工资失信联合惩戒对象', en: 'Wage arrears to migrant workers' },
    grade: { code: 'serious', zh: '严重', en: 'Serious' },
    basis: '人力资源和社会保障部令第45号',
    authority: '某局',
    document: '某演示〔2026〕1号',
    listed: '2026-05-01',
    until: '2027-05-01',
    relation: 'exact',
    clause: '第六条第一款',
    measures: [measure],
  }

  it('for one entry on a list of ours, and tells of it all that it rests on: of the measures those alone that deny', () => {
    expect(judged([entryOn('wage-arrears')])).toStrictEqual({ ...YES, verdict: 'no', reliedOn: [ground] })
  })

  it.each(DENYING)('for an entry on %s', type => {
    expect(judged([entryOn(type)])).toMatchObject({ verdict: 'no', reliedOn: [{ list: { code: type } }], why: [] })
  })

  it('for an entry of this very day', () => {
    expect(judged([entryOn('wage-arrears', { listed: today })])).toMatchObject({
      verdict: 'no',
      reliedOn: [{ listed: today }],
    })
  })

  it('for an entry without an end, and says of none', () => {
    const { until: _, ...open } = measure
    const { until: __, ...without } = ground
    expect(judged([entryOn('wage-arrears', { publishedUntil: 'indefinite' })]).reliedOn).toStrictEqual([
      { ...without, measures: [open] },
    ])
  })

  it('on the basis that the entry states itself, where it states one', () => {
    const basis = '《保障农民工工资支付条例》第四十八条'
    expect(judged([entryOn('wage-arrears', { basis })]).reliedOn).toMatchObject([{ basis }])
    expect(judged([entryOn('wage-arrears', { basis: ' ' })]).reliedOn).toMatchObject([{ basis: ground.basis }])
  })

  it('and a ground makes up nothing that its entry does not say', () => {
    const shared = entryOn('wage-arrears', { authority: '', document: { untranslated: '无' }, listed: 'indefinite' })
    const recognition = recognise(entryOn('wage-arrears'), exchange, vocabulary)
    const { authority, document, listed, ...said } = ground
    expect(judged([], { records: [{ shared, recognition }] }).reliedOn).toStrictEqual([said])
  })

  it('for an entry under objection where our own rule lets it be used, and says so', () => {
    const verdict = judged([entryOn('wage-arrears', {}, { objection: true })], { own: annotated })
    expect(verdict.reliedOn).toStrictEqual([{ ...ground, objection: true }])
    expect(Verdict.parse(verdict)).toEqual(verdict)
  })

  it('in the words of the vocabulary for the grade, and in our own where it has none', () => {
    const term = vocabulary.sets.get('dishonesty-grades')?.get('serious')
    if (term === undefined) throw new RangeError('no grade')
    const gradeBy = (grades: Map<string, typeof term> | undefined) => {
      const sets = new Map(vocabulary.sets)
      if (grades === undefined) sets.delete('dishonesty-grades')
      else sets.set('dishonesty-grades', grades)
      return judged([entryOn('wage-arrears')], {}, { ...vocabulary, sets }).reliedOn[0]?.grade
    }
    const other = { code: 'serious', zh: '严重失信', en: 'Gravely dishonest' }
    expect(gradeBy(new Map([['serious', { ...term, ...other }]]))).toEqual(other)
    expect(gradeBy(new Map([['minor', term]]))).toEqual(ground.grade)
    expect(gradeBy(undefined)).toEqual(ground.grade)
  })

  it('whatever else stands there that is set aside or cannot be told', () => {
    const records = [
      entryOn('local-black'),
      entryOn('wage-arrears'),
      entryOn('work-safety', { removed: { untranslated: '?' } }),
    ]
    const verdict = judged(records, { result: { unknown: [{ family: 'list', rule: 'record.undetermined' }] } })
    expect(codesOf(verdict)).toEqual(['no', [], ['recognition.none', 'recognition.date']])
    expect(verdict.reliedOn.map(({ id }) => id)).toEqual(['wage-arrears-1'])
  })
})

describe('a verdict is yes', () => {
  it('where the lists are known and nothing stands on them', () => {
    expect(judged([])).toStrictEqual(YES)
  })

  it.each(['tax-a', 'customs-advanced', 'honour', 'transport-model'])(
    'for an honour such as %s, recognised or not: it is not even set aside',
    type => {
      expect(judged([entryOn(type), entryOn(type, { listed: { untranslated: '去年' } })])).toStrictEqual(YES)
    },
  )

  it('for what is no list: a penalty however serious, a rating however bad', () => {
    const penalty = { grade: { code: 'serious', original: '严重' }, decided: '2026-10-01' }
    const scheme = { code: 'environment-national', original: '环境' }
    const level = { code: 'environment-national.red', original: '红牌' }
    const records: WireRecord[] = [
      { id: '1', family: 'penalty', fields: penalty },
      { id: '2', family: 'rating', fields: { scheme, level, decided: '2026-05-01', removed: { untranslated: '?' } } },
      { id: '3', family: 'rating', fields: { scheme } },
    ]
    expect(judged(records)).toStrictEqual(YES)
  })

  it.each<[string, WireRecord, RefusalCode, Vocabulary?]>([
    ['is over', entryOn('wage-arrears', { publishedUntil: '2026-11-21' }), 'record.ended'],
    ['was taken off its list', entryOn('wage-arrears', { removed: today }), 'record.ended'],
    ['is under objection, which suspends it', entryOn('wage-arrears', {}, { objection: true }), 'measure.objection'],
    ['is on a severe list that no table recognises', entryOn('judgment-defaulter'), 'recognition.unlisted'],
    ['is on a severe list without a document', entryOn('wage-arrears', { document: '' }), 'recognition.list-basis'],
    ['holds in its own city alone', { ...entryOn('wage-arrears'), territorial: true }, 'record.territorial'],
    ['was made by counting', entryOn('computed-black'), 'recognition.list-basis'],
    ['is a notice by law', entryOn('abnormal-operation'), 'recognition.unlisted'],
    ['is a notice without a basis', entryOn('key-attention'), 'recognition.unlisted'],
    [
      'is on a black list with a basis, which is none of ours',
      entryOn('local-black'),
      'recognition.none',
      withList('local-black', { basis: '某省条例' }),
    ],
  ])('though an entry %s: it is named and set aside', (_, record, why, words) => {
    const verdict = judged([record], {}, words)
    expect(verdict).toStrictEqual({ ...YES, setAside: [{ city: 'huizhou', id: record.id, why: told(why) }] })
  })

  it('though our own list has a measure for an entry, where it does not deny this purpose', () => {
    const measures = jiangyin.measures.map(measure => ({
      ...measure,
      lists: measure.denies ? measure.lists.filter(list => list !== 'wage-arrears') : measure.lists,
    }))
    expect(codesOf(judged([entryOn('wage-arrears')], { own: { ...jiangyin, measures } }))).toEqual([
      'yes',
      [],
      ['measure.none'],
    ])
  })

  it('is not touched by another family that is unknown or stale', () => {
    const freshness: Freshness[] = [
      { family: 'penalty', status: 'stale' },
      { family: 'list', status: 'fresh' },
    ]
    const unknown = [{ family: 'penalty', rule: 'source.stale' as const }]
    expect(judged([], { freshness, result: { unknown } })).toStrictEqual(YES)
  })
})

describe('a verdict is unknown', () => {
  it.each<[string, WireRecord, RefusalCode]>([
    [
      'on a severe list speaks of a broken commitment',
      entryOn('wage-arrears', { reason: '欠薪，未履行承诺' }),
      'record.escalation-doubt',
    ],
    ['on a severe list is a notice by its own city', { ...entryOn('wage-arrears'), notice: true }, 'record.notice'],
    [
      'on a severe list says it was made by counting',
      entryOn('wage-arrears', { reason: '系统自动列入' }),
      'record.computed',
    ],
    [
      'on a severe list has a day that nobody can read',
      entryOn('wage-arrears', { listed: { untranslated: '去年' } }),
      'recognition.date',
    ],
    [
      'on a severe list has a day that never was',
      entryOn('wage-arrears', { listed: '2026-02-30' }),
      'recognition.date',
    ],
    ['on a severe list is of tomorrow', entryOn('wage-arrears', { listed: '2026-11-23' }), 'recognition.date'],
    [
      'on a severe list that no table knows has no day',
      entryOn('judgment-defaulter', { listed: '' }),
      'recognition.date',
    ],
    ['is on a black list of no type', entryOn('local-black'), 'recognition.none'],
    [
      'is on a list whose name nobody could translate',
      entryOn('wage-arrears', { type: { untranslated: '黑名单' } }),
      'recognition.untranslated',
    ],
    [
      'is on one of two lists',
      entryOn('wage-arrears', { type: { codes: ['wage-arrears', 'tax-a'], ambiguous: true, original: '名单' } }),
      'recognition.untranslated',
    ],
  ])('where an entry %s: it is neither relied on nor taken for nothing', (_, record, why) => {
    const aside = { city: 'huizhou', id: record.id, why: told(why) }
    const unknown = { verdict: 'unknown', reliedOn: [], setAside: [aside], why: [told('measure.incomplete')] }
    expect(judged([record])).toStrictEqual(unknown)
    // Once is enough, whatever comes after it.
    expect(judged([record, entryOn('abnormal-operation')])).toMatchObject({ verdict: 'unknown', why: unknown.why })
  })

  it.each<[string, Readonly<Record<string, Value>>]>([
    ['cannot be read', { publishedUntil: { untranslated: '不详' } }],
    ['is a day that never was', { publishedUntil: '2026-11-31' }],
    ['on which it was removed cannot be read', { removed: { untranslated: '不详' } }],
    ['on which it was removed never was', { removed: '2027-02-29' }],
  ])('where the end of an entry %s', (_, fields) => {
    const records = [entryOn('wage-arrears', fields), entryOn('work-safety', {}, { objection: true })]
    expect(codesOf(judged(records))).toEqual([
      'unknown',
      ['recognition.date'],
      ['recognition.date', 'measure.objection'],
    ])
  })

  it('for every reason that there is, each told once', () => {
    const records = [entryOn('local-black'), entryOn('wage-arrears', { publishedUntil: { untranslated: '不详' } })]
    const result = { unknown: [{ family: 'list', rule: 'record.undetermined' as const }] }
    const scope = wanting({ family: 'penalty' })
    expect(judged(records, { result, scope }).why).toEqual([
      told('record.undetermined'),
      told('measure.incomplete'),
      told('recognition.date'),
    ])
  })

  it.each<RefusalCode>(['source.unreachable', 'source.slow', 'source.stale'])(
    'where the lists are %s, whatever came, for what came may be over since',
    rule => {
      const unknown = [
        { family: 'penalty', rule: 'record.undetermined' as const },
        { family: 'list', rule },
      ]
      const verdict = judged([entryOn('wage-arrears'), entryOn('wage-arrears', {}, { objection: true })], {
        result: { unknown },
      })
      expect(codesOf(verdict)).toEqual(['unknown', [rule], [rule, 'measure.objection']])
      expect(verdict.reliedOn).toEqual([])
    },
  )

  it.each<[string, Freshness[], RefusalCode]>([
    ['stale', [{ family: 'list', status: 'stale' }], 'source.stale'],
    ['of unknown age', [{ family: 'list', status: 'unknown' }], 'source.stale'],
    ['not vouched for at all', [], 'measure.incomplete'],
  ])('where the lists are %s though their city does not say so of the subject', (_, lists, why) => {
    const freshness: Freshness[] = [{ family: 'penalty', status: 'fresh' }, ...lists]
    expect(codesOf(judged([], { freshness }))).toEqual(['unknown', [why], []])
    expect(codesOf(judged([entryOn('wage-arrears')], { freshness }))).toEqual(['unknown', [why], [why]])
  })

  it('where there is an entry of which its city cannot tell, and no where another one speaks all the same', () => {
    const result = { unknown: [{ family: 'list', rule: 'record.undetermined' as const }] }
    expect(codesOf(judged([], { result }))).toEqual(['unknown', ['record.undetermined'], []])
    expect(judged([entryOn('wage-arrears')], { result })).toMatchObject({ verdict: 'no', setAside: [], why: [] })
  })

  it('where the lists are stale and one entry cannot be told besides, however that is said', () => {
    const [one, all] = (['record.undetermined', 'source.stale'] as const).map(rule => ({ family: 'list', rule }))
    if (one === undefined || all === undefined) throw new RangeError('two gaps')
    const fresh: Freshness[] = [{ family: 'list', status: 'fresh' }]
    const stale: Freshness[] = [{ family: 'list', status: 'stale' }]
    const said: Partial<Case>[] = [
      { result: { unknown: [one, all] }, freshness: fresh },
      { result: { unknown: [all, one] }, freshness: fresh },
      { result: { unknown: [one] }, freshness: stale },
    ]
    for (const over of said) {
      expect(codesOf(judged([entryOn('wage-arrears')], over))).toEqual(['unknown', ['source.stale'], ['source.stale']])
    }
  })

  it('where our own list has no measure for the purpose today, and where there is no list at all', () => {
    const ended = jiangyin.measures.map(measure => ({ ...measure, validTo: '2026-11-21' }))
    for (const own of [undefined, { ...jiangyin, measures: [] }, { ...jiangyin, measures: ended }]) {
      expect(codesOf(judged([entryOn('wage-arrears')], { own }))).toEqual([
        'unknown',
        ['measure.none'],
        ['measure.none'],
      ])
    }
  })
})

describe('a clean answer is yes only where every list that denies could have come and would have been recognised', () => {
  const clean = (over: Partial<Case>) => codesOf(judged([], over)).slice(0, 2)
  const INCOMPLETE = ['unknown', ['measure.incomplete']]
  const [clause] = wanting({ family: 'list' }).families.get('list') ?? []
  if (clause === undefined) throw new RangeError('no clause')
  type Listed = typeof clause
  const granting = (...clauses: Listed[]) => ({
    scope: { ...wanting({ family: 'list' }), families: new Map([['list', clauses]]) },
  })
  const only = (...lists: string[]): Listed => ({ ...clause, lists: new Set(lists) })

  it('and lists were asked for', () => {
    expect(clean({ scope: wanting({ family: 'penalty' }) })).toEqual(INCOMPLETE)
  })

  it.each(['listed', 'authority', 'document'])('with %s, without which no entry can be judged', field => {
    const fields = ['type', 'listed', 'authority', 'document']
    expect(clean({ scope: wanting({ family: 'list', fields }) })).toEqual(['yes', []])
    expect(clean({ scope: wanting({ family: 'list', fields: fields.filter(each => each !== field) }) })).toEqual(
      INCOMPLETE,
    )
  })

  it('and of which list it is', () => {
    const fields = new Set([...clause.fields].filter(field => field !== 'type'))
    expect(clean(granting({ ...clause, fields }))).toEqual(INCOMPLETE)
  })

  it('and for a subject of this kind', () => {
    const kinds = new Set(['cooperative' as const])
    expect(clean(granting({ ...clause, kinds }))).toEqual(INCOMPLETE)
    expect(clean(granting({ ...clause, kinds }, clause))).toEqual(['yes', []])
  })

  it.each(DENYING)('and %s is among the lists that may be given', list => {
    const rest = DENYING.filter(each => each !== list)
    expect(clean(granting(only(...DENYING)))).toEqual(['yes', []])
    expect(clean(granting(only(...rest)))).toEqual(INCOMPLETE)
    expect(clean(granting(only(...rest), only(list)))).toEqual(['yes', []])
    expect(clean(granting(only(...rest), { ...only(list), fields: new Set(['type']) }))).toEqual(INCOMPLETE)
  })

  it.each(DENYING)('and a row recognises %s as what denies here', list => {
    const rows = (change: (row: RecognitionRow) => readonly RecognitionRow[]) =>
      withRows(row => (row.of === list ? change(row) : [row]))
    expect(clean(rows(() => []))).toEqual(INCOMPLETE)
    expect(clean(rows(row => [{ ...row, outcome: 'informational' }]))).toEqual(INCOMPLETE)
    expect(clean(rows(row => [{ ...row, as: ['judgment-defaulter'] }]))).toEqual(INCOMPLETE)
  })

  it.each<[string, object, readonly [string, readonly string[]] | typeof INCOMPLETE]>([
    ['of this day and the next', { validFrom: today, validTo: '2026-11-23' }, ['yes', []]],
    ['of yesterday', { validTo: '2026-11-21' }, INCOMPLETE],
    ['of tomorrow', { validFrom: '2026-11-23' }, INCOMPLETE],
    ['of the other direction', { from: ['jiangyin'], to: ['huizhou'] }, INCOMPLETE],
  ])('by a table that holds: by one %s it is %j', (_, change, expected) => {
    expect(clean(withTable(table => ({ ...table, ...change })))).toEqual(expected)
  })

  it('and not by a table of ratings, though its levels were called like lists', () => {
    const rows = withTable(({ rows, ...table }) => [
      { ...table, kind: 'list', rows: rows.filter(({ of }) => of !== 'work-safety') },
      {
        ...table,
        kind: 'rating',
        foreign: 'stars',
        ours: 'stars',
        rows: rows.filter(({ of }) => of === 'work-safety'),
      },
    ])
    expect(clean(rows)).toEqual(INCOMPLETE)
  })

  it('and is no all the same where an entry on a list that could come speaks', () => {
    expect(
      judged(
        [entryOn('wage-arrears')],
        withRows(row => (row.of === 'work-safety' ? [] : [row])),
      ).verdict,
    ).toBe('no')
    expect(judged([entryOn('wage-arrears')], granting(only('wage-arrears'))).verdict).toBe('no')
  })
})

describe('over all cities', () => {
  const [no, yes, unknown] = [judged([entryOn('wage-arrears')]), judged([]), noVerdict(told('peer.slow'))]

  it('is unknown for one that did not answer, and why', () => {
    expect(unknown).toStrictEqual({ verdict: 'unknown', reliedOn: [], setAside: [], why: [told('peer.slow')] })
  })

  it('no outweighs unknown, unknown outweighs yes, and nothing asked is unknown', () => {
    expect(together([yes, yes])).toStrictEqual(YES)
    expect(together([yes, unknown])).toStrictEqual(unknown)
    expect(together([yes, unknown, no])).toStrictEqual({ ...no, why: unknown.why })
    expect(together([])).toStrictEqual({ ...unknown, why: [] })
  })

  it('every entry is named that was relied on or set aside, and every reason once', () => {
    const local = judged([entryOn('local-black')])
    const other = judged([entryOn('work-safety'), entryOn('abnormal-operation')])
    expect(together([no, local, unknown, other, local])).toStrictEqual({
      verdict: 'no',
      reliedOn: [...no.reliedOn, ...other.reliedOn],
      setAside: [...local.setAside, ...other.setAside, ...local.setAside],
      why: [told('measure.incomplete'), told('peer.slow')],
    })
  })
})

describe('whatever a city says', () => {
  it('a verdict rests on nothing that is not recognised, usable and on our own list; and is yes only of a list that is fresh and whole', () => {
    const day = fc.constantFrom<Value>('2026-11-21', today, '2027-01-01', '2027-02-30', 'indefinite', {
      untranslated: '不详',
    })
    const text = fc.constantFrom('', '某局')
    const record = fc
      .record({
        type: fc.constantFrom(...vocabulary.lists.keys()),
        fields: fc.record({ publishedUntil: day, removed: day, authority: text, document: text }, { requiredKeys: [] }),
        objection: fc.boolean(),
      })
      .map(({ type, fields, objection }) => entryOn(type, fields, objection ? { objection } : {}))
    const status = fc.constantFrom<Freshness['status']>('fresh', 'stale', 'unknown')
    const own = fc.constantFrom(...measureLists.values())
    fc.assert(
      fc.property(fc.array(record, { maxLength: 4 }), status, own, fc.nat(3), (records, status, own, less) => {
        const unknown = status === 'fresh' ? [] : [{ family: 'list', rule: 'source.stale' as const }]
        const verdict = judged(records, {
          own,
          scope: wanting(less === 0 ? { family: 'list', fields: ['reason'] } : { family: 'list' }),
          freshness: [{ family: 'list', status }],
          result: { ...(unknown.length > 0 && { unknown }) },
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
