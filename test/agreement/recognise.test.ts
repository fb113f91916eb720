/** The tables of an agreement: what is wrong with one is told at start, and a right one never makes more of a word than it says. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Agreement } from '#agreement/agreement.ts'
import { type Exchange, recognise } from '#agreement/recognise.ts'
import { type RecognitionRow, RecognitionTable, recognitionFaults } from '#agreement/recognition.ts'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError } from '#protocol/fault.ts'
import type { Value, WireRecord } from '#protocol/message.ts'
import { validOn } from '#schema/vocabulary.ts'
import { runFederation } from '../federation.ts'
import { vocabulary } from '../schema/cities.ts'
import { entryOn } from './entries.ts'
import { shipped, shippedText, today } from './shipped.ts'

/** What a record of one city is in the other, by these tables or the shipped ones. */
function here(record: WireRecord, over: Partial<Exchange> & { readonly recognition?: RecognitionTable[] } = {}) {
  const { recognition, ...exchange } = over
  const agreement = { ...shipped, ...(recognition && { recognition }) }
  return recognise(record, { agreement, from: 'jiangyin', to: 'huizhou', today, ...exchange }, vocabulary)
}

function rating(scheme: string, level: string | undefined, fields: Readonly<Record<string, Value>> = {}): WireRecord {
  return {
    id: '1',
    family: 'rating',
    fields: {
      scheme: { code: scheme, original: scheme },
      ...(level !== undefined && { level: { code: `${scheme}.${level}`, original: level } }),
      decided: '2026-05-01',
      ...fields,
    },
  }
}

const codes = (record: WireRecord, over?: Parameters<typeof here>[1]) => here(record, over)?.as?.map(({ code }) => code)
const why = (record: WireRecord, over?: Parameters<typeof here>[1]) => {
  const { outcome, why } = here(record, over) ?? {}
  return [outcome, why?.code]
}

describe('an agreement', () => {
  it('without tables keeps the digest that it had before there were any', () => {
    const before = JSON.parse(shippedText)
    delete before.recognition
    for (const { families } of before.grants) {
      const { rating } = families
      if (rating) rating.schemes = rating.schemes.filter((scheme: string) => scheme !== 'customs-2021')
    }
    expect(digest(before)).toBe('SM0p6nbCx6SNFh4QPdSRDOTT64uoCBDOKhtfZz7V6Fw')
    expect(digest(Agreement.parse(before))).toBe(digest(before))
  })

  it('as shipped has tables without a fault', () => {
    const { recognition = [], parties } = shipped
    expect(recognition.length).toBeGreaterThan(0)
    expect(recognitionFaults(recognition, parties, vocabulary, 'x')).toEqual([])
  })

  it('with wrong tables keeps a gateway from starting, and every fault is told', async () => {
    const edit = (agreement: Record<string, unknown>) => {
      const { recognition = [] } = structuredClone(shipped)
      const [lists, colours] = recognition
      if (lists === undefined || colours === undefined) throw new RangeError('no tables')
      lists.from.push('atlantis')
      rowOf(colours, 'yellow').outcome = 'recognised'
      agreement['recognition'] = recognition
    }
    const error = await runFederation({ edit }).catch(thrown => thrown)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toMatch(/recognition\[0\]\.from: atlantis is no party/)
    expect(error.message).toMatch(/recognition\[1\]\.rows\[2\]\.outcome: yellow is recognised as nothing/)
  })
})

function rowOf(table: RecognitionTable, of: string): RecognitionRow {
  const row = table.rows.find(each => each.of === of)
  if (row === undefined) throw new RangeError(`no row ${of}`)
  return row
}

describe('a table', () => {
  const [LISTS, FIVE, FOUR, TAX, OLD] = [0, 1, 2, 3, 4]
  const at = (tables: RecognitionTable[], i: number) => {
    const table = tables[i]
    if (table === undefined) throw new RangeError(`no table ${i}`)
    return table
  }
  const set = (i: number, of: string, change: Partial<RecognitionRow>) => (tables: RecognitionTable[]) => {
    Object.assign(rowOf(at(tables, i), of), change)
  }
  const put = (i: number, change: Record<string, unknown>) => (tables: RecognitionTable[]) => {
    Object.assign(at(tables, i), change)
  }

  it.each<[string, (tables: RecognitionTable[]) => void, RegExp, RegExp]>([
    ['from nobody to another', put(FIVE, { to: ['jiangyin'] }), /^recognition\[1\]\.to$/, /nobody recognises/],
    ['to a city that is no party', put(FIVE, { to: ['suqian'] }), /\[1\]\.to$/, /suqian is no party/],
    ['that ends before it begins', put(OLD, { validFrom: '2026-05-01' }), /\[4\]\.validTo$/, /before it begins/],
    ['of a scheme of no vocabulary', put(TAX, { ours: 'stars' }), /\[3\]\.ours$/, /scheme stars is not known/],
    ['of a level of no vocabulary', set(TAX, 'a', { of: 'aa' }), /\[3\]\.rows\[0\]\.of$/, /no level aa/],
    ['into a level of no vocabulary', set(FIVE, 'red', { as: ['black'] }), /\[1\]\.rows\[3\]\.as$/, /no level black/],
    ['of a list of no vocabulary', set(LISTS, 'honour', { of: 'gossip' }), /rows\[7\]\.of$/, /list gossip/],
    ['into a list of no vocabulary', set(LISTS, 'tax-a', { as: ['gossip'] }), /rows\[5\]\.as$/, /list gossip/],
    [
      'with one level left out',
      put(FIVE, { rows: [] }),
      /\[1\]\.rows$/,
      /level (green|blue|yellow|red|black) is missing/,
    ],
    ['with a level twice', set(FIVE, 'blue', { of: 'green' }), /rows\[1\]\.of$/, /green stands twice/],
    ['where exact is two', set(FOUR, 'red', { relation: 'exact' }), /\[2\]\.rows\[3\]\.as$/, /exact is one/],
    ['where broader is one', set(FOUR, 'red', { as: ['red'] }), /\[2\]\.rows\[3\]\.as$/, /broader than one/],
    ['where overlapping is none', set(FIVE, 'yellow', { relation: 'overlapping' }), /rows\[2\]\.as$/, /is empty/],
    ['where none is something', set(FIVE, 'yellow', { as: ['yellow'] }), /rows\[2\]\.as$/, /no counterpart/],
    ['where none is recognised', set(FIVE, 'yellow', { outcome: 'recognised' }), /rows\[2\]\.outcome$/, /as nothing/],
    [
      'where tax M is a rating',
      set(TAX, 'm', { relation: 'exact', as: ['m'] }),
      /\[3\]\.rows\[4\]\.relation$/,
      /tax-2025\.m is no rating/,
    ],
    [
      'into a level that is no rating',
      set(FOUR, 'red', { as: ['red', 'green'] }),
      /\[2\]\.rows\[3\]\.as$/,
      /comes out above it/,
    ],
    ['where B of a scheme is its C', set(TAX, 'b', { as: ['c'] }), /\[3\]\.rows\[1\]$/, /another level of its own/],
    [
      'where the worse comes out better',
      set(FIVE, 'black', { as: ['green'] }),
      /\[1\]\.rows\[4\]\.as$/,
      /black is below red and comes out above it/,
    ],
    [
      'of days on which its scheme is not in force',
      put(OLD, { validFrom: '2026-04-01', validTo: '2026-12-31' }),
      /\[4\]\.(foreign|ours)$/,
      /not in force/,
    ],
    [
      'that recognises a list without a legal basis',
      set(LISTS, 'local-black', { relation: 'exact', as: ['local-black'], outcome: 'recognised' }),
      /rows\[8\]\.outcome$/,
      /no legal basis/,
    ],
    [
      'that makes of a red list a black one',
      set(LISTS, 'tax-a', { as: ['tax-major-violation'] }),
      /rows\[5\]\.as$/,
      /is red and tax-major-violation is black/,
    ],
    [
      'that makes an entry more severe than it was',
      set(LISTS, 'honour', { of: 'abnormal-operation', relation: 'exact', as: ['work-safety'], outcome: 'recognised' }),
      /rows\[7\]\.as$/,
      /work-safety is severe and abnormal-operation is not/,
    ],
    [
      'that puts one entry on one list or another',
      set(LISTS, 'tax-a', { relation: 'broader', as: ['tax-a', 'honour'] }),
      /rows\[5\]\.relation$/,
      /does not say which/,
    ],
  ])('%s is refused, and the place is told', (_, change, path, problem) => {
    const { recognition = [], parties } = structuredClone(shipped)
    change(recognition)
    const faults = recognitionFaults(recognition, parties, vocabulary, 'agreement.json')
    expect(faults.filter(fault => path.test(fault.path) && problem.test(fault.problem))).not.toEqual([])
    for (const { remedy } of faults) expect(remedy).not.toBe('')
  })

  it('that says what another says for one of the same days, in the same direction, is refused; apart they stand', () => {
    const { recognition = [], parties } = structuredClone(shipped)
    const again = (over: object) => {
      const { kind, ...five } = at(recognition, FIVE)
      const other = RecognitionTable.parse({ kind, ...five, ...over })
      return recognitionFaults([...recognition, other], parties, vocabulary, 'x').map(({ problem }) => problem)
    }
    expect(again({})).toContainEqual(expect.stringContaining('also stands in recognition[1]'))
    expect(again({ validFrom: '2030-01-01' })).not.toEqual([])
    const five = at(recognition, FIVE)
    five.validTo = '2026-06-30'
    expect(again({ validTo: undefined, validFrom: '2026-07-01' })).toEqual([])
    expect(again({ validTo: undefined, validFrom: '2026-06-30' })).not.toEqual([])
  })

  const levelsOf = (scheme: string) => vocabulary.schemes.get(scheme)?.levels ?? []
  const short = (code: string) => code.slice(code.indexOf('.') + 1)
  const relation = fc.constantFrom<RecognitionRow['relation']>('exact', 'narrower', 'broader', 'overlapping', 'none')
  const schemes = ['environment-yrd', 'environment-national', 'tax-2025', 'labour-2017', 'huizhou-importers']
  const tables = fc.tuple(fc.constantFrom(...schemes), fc.constantFrom(...schemes)).chain(([foreign, ours]) =>
    fc
      .tuple(
        ...levelsOf(foreign).map(({ code }) =>
          fc.record({
            of: fc.constant(short(code)),
            as: fc.subarray(
              levelsOf(ours).map(each => short(each.code)),
              { maxLength: 2 },
            ),
            relation,
            outcome: fc.constantFrom<RecognitionRow['outcome']>('recognised', 'informational'),
          }),
        ),
      )
      .map(rows =>
        rows.map(row =>
          row.as.length === 0 ? { ...row, relation: 'none' as const, outcome: 'informational' as const } : row,
        ),
      )
      .map(
        (rows): RecognitionTable => ({
          kind: 'rating',
          foreign,
          ours,
          clause: '第一条',
          from: ['jiangyin'],
          to: ['huizhou'],
          rows,
        }),
      ),
  )

  it('that passes never recognises what is not rated, never a better level as a worse one, and never what its row does not name', () => {
    let passed = 0
    fc.assert(
      fc.property(tables, table => {
        if (table.kind !== 'rating' || recognitionFaults([table], ['jiangyin', 'huizhou'], vocabulary, 'x').length > 0)
          return
        passed += 1
        const ranks = levelsOf(table.foreign).flatMap(level => {
          const found = here(rating(table.foreign, short(level.code)), { recognition: [table] })
          expect(found?.original.code).toBe(level.code)
          if (found?.outcome !== 'recognised') {
            expect(found?.as).toBeUndefined()
            expect(found?.why).toBeDefined()
            return []
          }
          expect(level.rank).not.toBeNull()
          const as = found.as?.map(({ code }) => code) ?? []
          expect(as.map(short)).toEqual(rowOf(table, short(level.code)).as)
          expect(found.ambiguous === true).toBe(found.relation === 'broader' || found.relation === 'overlapping')
          const ours = as.map(code => levelsOf(table.ours).find(each => each.code === code)?.rank ?? Number.NaN)
          expect(ours).not.toContain(Number.NaN)
          return [{ rank: level.rank ?? 0, best: Math.min(...ours), worst: Math.max(...ours) }]
        })
        for (const a of ranks) {
          for (const b of ranks) {
            if (a.rank < b.rank) expect(a.best <= b.best && a.worst <= b.worst).toBe(true)
          }
        }
      }),
      { numRuns: 20_000 },
    )
    expect(passed).toBeGreaterThan(50)
  })
})

describe('a rating', () => {
  /** The levels that a level is after it went to the other city and came back, by the shipped tables. */
  function thereAndBack(scheme: string, level: string, from: string, to: string): string[] {
    const day = { decided: scheme === 'customs-2021' ? '2025-05-01' : '2026-05-01' }
    const there = codes(rating(scheme, level, day), { from, to }) ?? []
    return there.flatMap(code => {
      const [as = '', short = ''] = code.split('.')
      return codes(rating(as, short, day), { from: to, to: from }) ?? []
    })
  }

  it('that goes to the other city and comes back is the same, one of several that hold it, or none: no level is invented', () => {
    let seen = 0
    for (const table of shipped.recognition ?? []) {
      if (table.kind !== 'rating') continue
      for (const from of table.from) {
        for (const to of table.to.filter(each => each !== from)) {
          for (const { of } of table.rows) {
            seen += 1
            const back = thereAndBack(table.foreign, of, from, to)
            if (back.length > 0) expect(back, `${table.foreign} ${of}`).toContain(`${table.foreign}.${of}`)
          }
        }
      }
    }
    expect(seen).toBeGreaterThan(40)
  })

  it('of five colours comes back as itself, as nothing where it is yellow, and as red or black where it is either', () => {
    const back = ['green', 'blue', 'yellow', 'red', 'black'].map(level =>
      thereAndBack('environment-yrd', level, 'jiangyin', 'huizhou'),
    )
    const either = ['environment-yrd.red', 'environment-yrd.black']
    expect(back).toEqual([['environment-yrd.green'], ['environment-yrd.blue'], [], either, either])
  })

  it('of one direction is not of the other', () => {
    expect(codes(rating('environment-yrd', 'red'))).toEqual(['environment-national.red'])
    expect(why(rating('environment-yrd', 'red'), { from: 'huizhou', to: 'jiangyin' })).toEqual([
      'informational',
      'recognition.unlisted',
    ])
    expect(why(rating('environment-yrd', 'red'), { from: 'suqian' })).toEqual(['informational', 'recognition.unlisted'])
  })

  it.each([
    ['2021-10-31', 'customs-2021', 'recognition.date'],
    ['2021-11-01', 'customs-2021', undefined],
    ['2026-03-31', 'customs-2021', undefined],
    ['2026-04-01', 'customs-2021', 'recognition.date'],
    ['2026-03-31', 'customs-2026', 'recognition.date'],
    ['2026-04-01', 'customs-2026', undefined],
  ])('of %s in %s is judged by what was in force on that day', (decided, scheme, code) => {
    expect(why(rating(scheme, 'advanced', { decided }))).toEqual([code ? 'informational' : 'recognised', code])
    const known = vocabulary.schemes.get(scheme)
    expect(known && validOn(known, decided)).toBe(code === undefined)
  })

  it('without a day is recognised by nothing that has days', () => {
    const { decided: _, ...fields } = rating('customs-2026', 'advanced').fields
    expect(why({ id: '1', family: 'rating', fields })).toEqual(['informational', 'recognition.date'])
    expect(why({ id: '1', family: 'rating', fields: { ...fields, validFrom: '2026-06-01' } })).toEqual([
      'recognised',
      undefined,
    ])
    expect(why({ id: '1', family: 'rating', fields: { ...fields, decided: { untranslated: '去年' } } })).toEqual([
      'informational',
      'recognition.date',
    ])
  })

  it.each<[string, WireRecord, string]>([
    ['a score alone', rating('tax-2025', undefined, { score: '815.00' }), 'recognition.no-level'],
    [
      'a level outside the code list',
      rating('tax-2025', undefined, { level: { untranslated: 'AA+' } }),
      'recognition.untranslated',
    ],
    [
      'one of two levels',
      rating('tax-2025', undefined, {
        level: { codes: ['tax-2025.a', 'tax-2025.b'], ambiguous: true, original: 'A/B' },
      }),
      'recognition.untranslated',
    ],
    [
      'a level of another scheme',
      rating('tax-2025', undefined, { level: { code: 'labour-2017.a', original: 'A' } }),
      'recognition.untranslated',
    ],
    ['a level whose validity has ended', rating('tax-2025', 'a', { validUntil: '2026-11-21' }), 'record.ended'],
    ['a level of a scheme that no table is for', rating('huizhou-importers', 'yellow'), 'recognition.unlisted'],
  ])('with %s is information, and says why in both languages', (_, record, code) => {
    const found = here(record)
    expect([found?.outcome, found?.why?.code, found?.as]).toEqual(['informational', code, undefined])
    expect(found?.why?.zh).toMatch(/[\u4e00-\u9fff]/)
    expect(found?.why?.en).toMatch(/[a-z]/)
  })

  it('is recognised with a mark where its end is not told, or was not asked for', () => {
    expect(here(rating('tax-2025', 'a'))).toMatchObject({ outcome: 'recognised', endUnknown: true })
    expect(here(rating('tax-2025', 'a', { validUntil: today }))).not.toHaveProperty('endUnknown')
    expect(here(rating('tax-2025', 'a', { validUntil: '2026-11-21' }))).not.toHaveProperty('endUnknown')
    expect(here(entryOn('wage-arrears'))).not.toHaveProperty('endUnknown')
  })

  it('is valid to the end of its last day', () => {
    expect(why(rating('tax-2025', 'a', { validUntil: today }))).toEqual(['recognised', undefined])
    expect(why(rating('tax-2025', 'a', { validUntil: 'indefinite' }))).toEqual(['recognised', undefined])
  })

  it('by a third party counts with its rater, also where an administrative scheme says it is a third party’s', () => {
    const by = (standing: Value | undefined) =>
      why(
        rating('tax-2025', 'a', {
          origin: { code: 'third-party', original: '第三方机构' },
          ...(standing !== undefined && { raterStatus: standing }),
        }),
      )
    const state = (code: string) => ({ code, original: code })
    expect(by(state('active'))).toEqual(['recognised', undefined])
    for (const code of ['suspended', 'struck-off']) expect(by(state(code))).toEqual(['refused', 'recognition.rater'])
    for (const unknown of [undefined, { untranslated: '待核查' }]) {
      expect(by(unknown)).toEqual(['informational', 'recognition.rater-unknown'])
    }
  })
})

describe('a list entry', () => {
  it('that shows authority and document is recognised as an entry on our list of the same kind', () => {
    for (const list of ['wage-arrears', 'tax-a']) {
      expect(here(entryOn(list))).toMatchObject({ outcome: 'recognised', as: [{ code: list }], relation: 'exact' })
    }
  })

  it.each<[string, WireRecord, [string, string]]>([
    [
      'a severe list without its document',
      entryOn('wage-arrears', { document: '' }),
      ['refused', 'recognition.list-basis'],
    ],
    [
      'a severe list without its authority',
      entryOn('wage-arrears', { authority: ' ' }),
      ['refused', 'recognition.list-basis'],
    ],
    [
      'a list by counting, though somebody signs for it',
      entryOn('computed-black', { basis: '内部规则' }),
      ['refused', 'recognition.list-basis'],
    ],
    [
      'a red list without anything',
      entryOn('tax-a', { document: '', authority: '' }),
      ['refused', 'recognition.list-basis'],
    ],
    [
      'a severe list, made by counting in its own words',
      entryOn('wage-arrears', { reason: '系統自動列入黑名單' }),
      ['refused', 'record.computed'],
    ],
    [
      'a severe list, of a broken commitment in its own words',
      entryOn('wage-arrears', { reason: '拖欠工资，未履行承诺' }),
      ['informational', 'record.escalation-doubt'],
    ],
    [
      'a local list, of a first offence',
      entryOn('local-black', { reason: '首违不罚' }),
      ['refused', 'record.escalation'],
    ],
    ['a black list of the city alone', entryOn('local-black'), ['informational', 'recognition.none']],
    ['an honour of the city alone', entryOn('honour'), ['informational', 'recognition.information']],
    ['a list that no table is for', entryOn('judgment-defaulter'), ['informational', 'recognition.unlisted']],
    [
      'a list without a day',
      entryOn('wage-arrears', { listed: { untranslated: '年初' } }),
      ['informational', 'recognition.date'],
    ],
    [
      'a list outside the code list',
      { id: '1', family: 'list', fields: { type: { untranslated: '黑榜' } } },
      ['informational', 'recognition.untranslated'],
    ],
  ])('on %s is not an entry here', (_, record, said) => {
    expect(why(record)).toEqual(said)
    expect(here(record)?.as).toBeUndefined()
  })

  it('that its own city gives as a notice, or as holding there alone, is no more here', () => {
    expect(why({ ...entryOn('wage-arrears'), notice: true })).toEqual(['informational', 'record.notice'])
    expect(why({ ...entryOn('wage-arrears'), territorial: true })).toEqual(['informational', 'record.territorial'])
  })

  it('is never made of a penalty, a licence, a commitment, a contract or a breach, whatever these say', () => {
    const value = fc.constantFrom<Value>(
      '黑名单',
      { code: 'wage-arrears', original: '黑名单' },
      { code: 'minor', original: '轻微' },
    )
    const family = fc.constantFrom('penalty', 'licence', 'commitment', 'contract', 'breach', 'gossip')
    const fields = fc.dictionary(fc.constantFrom('type', 'grade', 'of', 'level', 'scheme', 'reason'), value)
    fc.assert(
      fc.property(family, fields, (family, fields) => {
        expect(here({ id: '1', family, fields })).toBeUndefined()
      }),
    )
  })
})

describe('whatever another city writes', () => {
  it('is recognised, information or refused, with a reason unless recognised, and never throws', () => {
    const word = fc.constantFrom(
      ...vocabulary.lists.keys(),
      ...vocabulary.schemes.keys(),
      ...(vocabulary.sets.get('rating-levels')?.keys() ?? []),
      'active',
      'third-party',
    )
    const day = fc.date({ min: new Date('2015-01-01'), max: new Date('2040-12-31'), noInvalidDate: true })
    const value: fc.Arbitrary<Value> = fc.oneof(
      fc.string(),
      day.map(each => each.toISOString().slice(0, 10)),
      word.map(code => ({ code, original: code })),
      word.map(code => ({ codes: [code], ambiguous: true as const, original: code })),
      fc.string({ minLength: 1 }).map(untranslated => ({ untranslated })),
    )
    const families = ['list', 'rating'].map(family => {
      const names = [...(vocabulary.families.get(family)?.fields.keys() ?? [])]
      return fc.record({ family: fc.constant(family), fields: fc.dictionary(fc.constantFrom(...names), value) })
    })
    fc.assert(
      fc.property(fc.oneof(...families), ({ family, fields }) => {
        const found = here({ id: '1', family, fields })
        expect(found === undefined || (found.outcome === 'recognised') === (found.why === undefined)).toBe(true)
        expect(found?.outcome === 'recognised').toBe((found?.as ?? []).length > 0)
      }),
      { numRuns: 3_000 },
    )
  })
})
