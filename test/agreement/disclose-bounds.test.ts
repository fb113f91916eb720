/** What becomes of the records of one question, answer by answer; and what is read out of an answer that says too much. */
import { describe, expect, it } from 'vitest'
import type { Grant } from '#agreement/agreement.ts'
import { authorise, scopeOf } from '#agreement/authorise.ts'
import { contradictions, disclose, excess, freshnessToday, given } from '#agreement/disclose.ts'
import { canonical, digest } from '#protocol/canonical.ts'
import { AnswerBody, type Value, type WireRecord } from '#protocol/message.ts'
import { completeUscc, readSubject } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import type { SharedFamily } from '#schema/translate.ts'
import { vocabulary } from '../schema/cities.ts'
import { base, entry, honour, penalty, saying, subject } from './records.ts'
import { today } from './shipped.ts'
import { signedOf } from './signed.ts'
import { huizhou, verified } from './verified.ts'

const business = completeUscc('92320281MA1TE200')
const other = completeUscc('91320281MA1TE101')
/** One clause over everything that the records here have. */
const everything: Grant = {
  clause: '第三条',
  from: ['huizhou'],
  to: ['jiangyin'],
  purposes: ['tendering'],
  kinds: ['enterprise'],
  shareLevel: 'government',
  families: {
    licence: { fields: ['number', 'holder', 'remark'] },
    penalty: { fields: ['decided', 'holder', 'number', 'fine', 'grade', 'publishedUntil'] },
    list: { fields: ['type', 'name', 'result'], lists: ['wage-arrears', 'honour'] },
    rating: { fields: ['scheme', 'level'], schemes: ['tax-2025'] },
  },
}

/** A family as it was read: nothing is missing of it, and it is fresh, unless a test says otherwise. */
function read(family: string, records: readonly SharedRecord[], over: Partial<SharedFamily> = {}): SharedFamily {
  const bySubject = Map.groupBy(records, each => each.subject)
  return { family, records: bySubject, freshness: { family, status: 'fresh' }, ...over }
}

/** The answer of Huizhou at noon of a day, by these clauses. */
async function answered(
  found: readonly SharedFamily[],
  { subjects = [subject as string], grants = [everything], signed = signedOf(grants) } = {},
) {
  const want = found.map(({ family }) => ({ family }))
  const noon = Date.parse(`${today}T04:00:00Z`)
  const permission = await authorise(verified(signed, { subjects, want }), huizhou(signed, noon))
  const { body, text } = disclose(found, permission)
  expect(text).toBe(canonical(body))
  expect(AnswerBody.safeParse(body).error).toBeUndefined()
  return body
}

async function resultOf(found: readonly SharedFamily[], over?: Parameters<typeof answered>[1]) {
  const [result] = (await answered(found, over)).results
  if (result === undefined) throw new RangeError('no result')
  return result
}

const idsOf = ({ records }: { readonly records: readonly WireRecord[] }) => records.map(({ id }) => id)
const unreachable = { unknown: 'source.unreachable', freshness: { family: 'penalty', status: 'unknown' } } as const
const old = { freshness: { family: 'licence', status: 'stale', asOf: '2026-11-20T01:00:00Z' } } as const
/** Of no state that is known: it stays, and nobody can tell whether it might leave. */
const untold = (record: SharedRecord): SharedRecord => ({ ...record, state: 'undetermined' })

describe('an answer', () => {
  it('is answered where all was read and is fresh, whatever there is, and then says nothing of what is unknown', async () => {
    expect(await resultOf([read('penalty', []), read('licence', [base])])).toEqual({
      records: [{ family: 'licence', fields: { number: '1' }, id: '1' }],
      status: 'answered',
      subject,
    })
  })

  it('is unknown where a family could not be read, and stale where one is old, each with its reason', async () => {
    const penalties = { family: 'penalty', rule: 'source.unreachable' }
    const licences = { family: 'licence', rule: 'source.stale' }
    expect(await resultOf([read('penalty', [], unreachable), read('licence', [])])).toMatchObject({
      status: 'unknown',
      unknown: [penalties],
    })
    expect(await resultOf([read('licence', [base], old), read('penalty', [])])).toMatchObject({
      status: 'stale',
      unknown: [licences],
      records: [{ id: '1' }],
    })
    expect(await resultOf([read('licence', [], old), read('penalty', [], unreachable)])).toMatchObject({
      status: 'unknown',
      unknown: [licences, penalties],
    })
  })

  it('is stale where its city supplied nothing for eight working days, though it calls itself fresh', async () => {
    const supplied = (asOf: string) =>
      answered([read('penalty', [], { freshness: { family: 'penalty', status: 'fresh', asOf } })])
    expect(await supplied('2026-11-10T01:00:00Z')).toMatchObject({
      freshness: [{ family: 'penalty', asOf: '2026-11-10T01:00:00Z', status: 'stale' }],
      results: [{ status: 'stale', unknown: [{ family: 'penalty', rule: 'source.stale' }] }],
    })
    expect(await supplied('2026-11-11T01:00:00Z')).toMatchObject({ results: [{ status: 'answered' }] })
  })

  it('says of which instant a family is, and where that is not known, nothing of it', async () => {
    const { freshness } = await answered([read('licence', [], old), read('penalty', [])])
    expect(freshness).toEqual([
      { family: 'licence', asOf: '2026-11-20T01:00:00Z', status: 'stale' },
      { family: 'penalty', status: 'fresh' },
    ])
  })

  it('is unknown for the one subject of which a record cannot be judged, and names the family once', async () => {
    const records = [untold(penalty), untold({ ...penalty, id: '2' }), { ...penalty, id: '3', subject: other }]
    const { results } = await answered([read('penalty', records), read('licence', [untold(base)])], {
      subjects: [subject, other],
    })
    expect(results).toMatchObject([
      {
        subject,
        records: [],
        status: 'unknown',
        unknown: [
          { family: 'penalty', rule: 'record.undetermined' },
          { family: 'licence', rule: 'record.undetermined' },
        ],
      },
      { subject: other, records: [{ id: '3' }], status: 'answered' },
    ])
    expect(results[1]).not.toHaveProperty('unknown')
  })

  it('says of a family that could not be read at all only that, and that a record cannot be judged beside it', async () => {
    const found = [read('penalty', [untold(penalty)], unreachable), read('licence', [untold(base)], old)]
    expect((await resultOf(found)).unknown).toEqual([
      { family: 'penalty', rule: 'source.unreachable' },
      { family: 'licence', rule: 'source.stale' },
      { family: 'licence', rule: 'record.undetermined' },
    ])
  })

  it('has nothing but the reason for a subject that may not be asked about, and the doubt of one that may', async () => {
    // A code of the early series, whose check character does not follow the standard.
    const early = '91320281M000TE100X'
    const { results } = await answered([read('licence', [])], { subjects: ['110101199003077758', early] })
    expect(results).toEqual([
      { records: [], rule: 'subject.person', status: 'refused' },
      { doubt: 'check-character', records: [], status: 'answered', subject: early },
    ])
  })

  it('says what is withheld whether or not anything exists, and each answer has it for itself', async () => {
    const signed = signedOf([everything])
    const withheld = async (records: readonly SharedRecord[]) =>
      (await answered([read('penalty', records)], { signed })).withheld
    const first = await withheld([])
    const families = first.map(({ family }) => family)
    expect(families).toContain('penalty')
    first.length = 0
    expect((await withheld([penalty])).map(({ family }) => family)).toEqual(families)
  })
})

describe('a family', () => {
  it('is as fresh as its city says, never fresher than the rule allows, and what is unknown is not called stale', () => {
    const freshness = (status: 'fresh' | 'stale' | 'unknown', asOf = '2019-01-01T00:00:00Z') =>
      freshnessToday({ family: 'penalty', status, asOf }, today, { vocabulary }).status
    expect([freshness('fresh'), freshness('stale'), freshness('unknown')]).toEqual(['stale', 'stale', 'unknown'])
    expect(freshness('fresh', '2026-11-20T01:00:00Z')).toBe('fresh')
    expect(freshness('stale', '2026-11-20T01:00:00Z')).toBe('stale')
  })
})

describe('the fields of a record', () => {
  it('are those that the clauses for its kind of subject name, and no other of them', async () => {
    const wide: Grant = { ...everything, kinds: ['individual-business'], families: { licence: { fields: ['holder'] } } }
    const named = saying(base, { holder: '江阴示例五金店', remark: '备注' })
    const found = [read('licence', [named, { ...named, id: '2', subject: business, kind: 'individual-business' }])]
    const narrow: Grant = { ...everything, families: { licence: { fields: ['number'] } } }
    const { results } = await answered(found, { subjects: [subject, business], grants: [narrow, wide] })
    expect(results.map(({ records }) => records.map(({ fields }) => fields))).toEqual([
      [{ number: '1' }],
      [{ holder: '江阴示例五金店' }],
    ])
  })

  it('are of one family what that family is granted, whatever the other is', async () => {
    const found = [
      read('licence', [saying(base, { holder: '示例公司' })]),
      read('penalty', [saying(penalty, { holder: '示例公司' })]),
    ]
    const grant: Grant = {
      ...everything,
      families: { licence: { fields: ['number'] }, penalty: { fields: ['holder'] } },
    }
    const { records } = await resultOf(found, { grants: [grant] })
    expect(records.map(({ fields }) => fields)).toEqual([{ number: '1' }, { holder: '示例公司' }])
  })

  it('are those of every clause that lets it pass, in order, and of none that does not', async () => {
    const of = (fields: string[], list: string): Grant => ({
      ...everything,
      families: { list: { fields, lists: [list] } },
    })
    const grants = [
      of(['type', 'name'], 'wage-arrears'),
      of(['type', 'basis'], 'honour'),
      of(['authority', 'type'], 'wage-arrears'),
    ]
    const said = { name: '名单', basis: '依据' }
    const records = [saying(entry, said), { ...saying(honour, said), id: '2' }]
    const result = await resultOf([read('list', records)], { grants })
    expect(result.records.map(({ fields }) => Object.keys(fields))).toEqual([
      ['authority', 'name', 'type'],
      ['basis', 'type'],
    ])
  })

  it('are right under more clauses than a number tells apart', async () => {
    const of = (field: string, list: string): Grant => ({
      ...everything,
      families: { list: { fields: ['type', field], lists: [list] } },
    })
    // The last of 54 lets both pass, and the first the second alone.
    const grants = [
      of('name', 'honour'),
      ...Array.from({ length: 52 }, () => of('basis', 'work-safety')),
      { ...everything, families: { list: { fields: ['type', 'document'], lists: ['honour', 'wage-arrears'] } } },
    ]
    const records = [entry, { ...honour, id: '2' }, { ...entry, id: '3' }]
    const result = await resultOf([read('list', records)], { grants })
    expect(result.records.map(({ fields }) => Object.keys(fields))).toEqual([
      ['document', 'type'],
      ['document', 'name', 'type'],
      ['document', 'type'],
    ])
  })

  it('go masked where they hold a number or a name of a person, and it is said which', async () => {
    const record = saying(base, { holder: '联系人：张三', number: '江行许〔2026〕1号', remark: '电话13800138000' })
    expect((await resultOf([read('licence', [record])])).records).toEqual([
      {
        family: 'licence',
        fields: { holder: '联系人：**', number: '江行许〔2026〕1号', remark: '电话***********' },
        id: '1',
        masked: ['holder', 'remark'],
      },
    ])
  })

  it('go with every mark of the record', async () => {
    const record = { ...saying(entry, { document: '', result: '禁止参加我市招标投标' }), state: 'objection' as const }
    const [sent] = (await resultOf([read('list', [record])])).records
    expect(sent).toMatchObject({ notice: true, objection: true, territorial: true })
    expect((await resultOf([read('list', [entry])])).records[0]).toEqual({
      family: 'list',
      fields: { type: { code: 'wage-arrears', original: '欠薪' } },
      id: '1',
    })
  })
})

describe('the end of publicity', () => {
  const publicUntil = async (record: SharedRecord, family = record.family) => {
    const grant: Grant = {
      ...everything,
      families: { [family]: { fields: ['publishedUntil', 'type'], lists: ['honour'] } },
    }
    const { records } = await resultOf([read(family, [record])], { grants: [grant] })
    return records[0]?.fields['publishedUntil']
  }

  it('leaves as its city wrote it where that is no day', async () => {
    const written: Value = { untranslated: '长期有效（注）' }
    expect(await publicUntil(saying(penalty, { publishedUntil: written }))).toEqual(written)
  })

  it('is told of a record that states none by the rule, and of one that no clock runs for not at all', async () => {
    expect(await publicUntil(penalty)).toBe('2027-10-01')
    expect(await publicUntil(honour)).toBeUndefined()
  })

  it('is as its city states it where no rule ends it before', async () => {
    const stated = (day: string) => ({ ...saying(penalty, { publishedUntil: day }), publishedUntil: day })
    expect(await publicUntil(stated('2027-09-30'))).toBe('2027-09-30')
    expect(await publicUntil(stated('2027-10-01'))).toBe('2027-10-01')
    expect(await publicUntil(stated('2027-10-02'))).toBe('2027-10-01')
    expect(
      await publicUntil({ ...saying(honour, { publishedUntil: '2030-01-01' }), publishedUntil: '2030-01-01' }),
    ).toBe('2030-01-01')
  })
})

describe('the id of a record', () => {
  it.each(['138-0013-8000', '13800138000', '110101-19900307-7758'])(
    'does not leave where it holds a person’s number: %s',
    async id => {
      const [sent] = idsOf(await resultOf([read('licence', [{ ...base, id }])]))
      expect(sent).toMatch(/^[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]{6}$/)
      expect(idsOf(await resultOf([read('licence', [{ ...base, id }])]))).toEqual([sent])
    },
  )

  it.each(['1', 'X-2026-0001', 'jy-2026-000001'])('is what its city calls it else: %s', async id => {
    expect(idsOf(await resultOf([read('licence', [{ ...base, id }])]))).toEqual([id])
  })
})

describe('what is given of a subject', () => {
  it('is nothing of a family that no clause grants', () => {
    const scope = scopeOf(signedOf([everything]), ask('licence'), vocabulary)
    expect(given(readSubject(subject), [read('penalty', [penalty])], scope, today)).toEqual({
      records: [],
      unclear: [],
    })
  })
})

function ask(...families: string[]) {
  return { from: 'huizhou', to: 'jiangyin', purpose: 'tendering', want: families.map(family => ({ family })) }
}

describe('an answer of a peer', () => {
  const scope = scopeOf(signedOf([everything]), ask('licence', 'penalty', 'list', 'rating'), vocabulary)
  const families = ['licence', 'penalty', 'list', 'rating']
  const firm = readSubject(subject)
  const code = (word: string): Value => ({ code: word, original: word })
  const record = (family: string, fields: Readonly<Record<string, Value>>): WireRecord => ({ id: '1', family, fields })
  const good = record('licence', { number: '1' })

  function body(result: Partial<AnswerBody['results'][number]>, over: Partial<AnswerBody> = {}): AnswerBody {
    return {
      agreement: { id: 'a-2026', digest: digest({}) },
      purpose: 'tendering',
      withheld: [],
      freshness: families.map(family => ({ family, status: 'fresh' })),
      results: [{ subject, status: 'answered', records: [], ...result }],
      ...over,
    }
  }

  const over = (result: Partial<AnswerBody['results'][number]>, asked = [firm]) =>
    excess(body(result), asked, scope, vocabulary)

  it('that gives what was permitted exceeds nothing', () => {
    const records = [
      good,
      record('list', { type: code('honour'), name: '示例' }),
      record('rating', { scheme: code('tax-2025'), level: code('tax-2025.a') }),
    ]
    expect(over({ records })).toEqual([])
    expect(over({ subject: undefined, status: 'refused', rule: 'subject.person' })).toEqual([])
  })

  it.each<[string, WireRecord, string]>([
    ['a family that was not granted', record('breach', { number: '1' }), 'results[0].records[0] of breach'],
    ['a field that was not granted', record('licence', { content: '1' }), 'results[0].records[0].content'],
    ['a list that was not granted', record('list', { type: code('work-safety') }), 'results[0].records[0] of list'],
    ['a list entry that does not say of which', record('list', { name: '示例' }), 'results[0].records[0] of list'],
    [
      'a list in the city’s own words alone',
      record('list', { type: { untranslated: '某名单' } }),
      'results[0].records[0] of list',
    ],
    ['a list as a bare text', record('list', { type: 'honour' }), 'results[0].records[0] of list'],
    [
      'one of several lists',
      record('list', { type: { codes: ['honour'], ambiguous: true, original: 'x' } }),
      'results[0].records[0] of list',
    ],
    [
      'a rating scheme that was not granted',
      record('rating', { scheme: code('customs-2026') }),
      'results[0].records[0] of rating',
    ],
    [
      'a rating that does not say of which',
      record('rating', { level: code('tax-2025.a') }),
      'results[0].records[0] of rating',
    ],
  ])('that gives %s is found out', (_, each, said) => {
    expect(over({ records: [each] })).toEqual([said])
    expect(over({ records: [good, each] })).toEqual([said.replace('records[0]', 'records[1]')])
  })

  it('that gives about a kind of subject that no clause is for is found out', () => {
    const asked = [readSubject(business)]
    expect(over({ subject: business, records: [good] }, asked)).toEqual(['results[0].records[0] of licence'])
  })

  it('that gives a field of one clause under the list of another is found out', () => {
    const of = (fields: string[], lists: string[]): Grant => ({ ...everything, families: { list: { fields, lists } } })
    const two = scopeOf(
      signedOf([of(['type', 'name'], ['honour']), of(['type', 'basis'], ['wage-arrears'])]),
      ask('list'),
      vocabulary,
    )
    const records = [record('list', { type: code('honour'), name: '示例', basis: '依据' })]
    expect(excess(body({ records }), [firm], two, vocabulary)).toEqual(['results[0].records[0].basis'])
  })

  it('that tells of another subject, of more or of fewer, or of one that it refused, is found out', () => {
    expect(over({ subject: other, records: [good] })).toEqual(['results[0] about another subject'])
    expect(over({ subject: undefined })).toEqual(['results[0] about another subject'])
    expect(over({ records: [good] }, [firm, firm])).toEqual(['results for other subjects than asked'])
    expect(over({ records: [good] }, [])).toEqual(['results for other subjects than asked'])
    expect(over({ subject: undefined, status: 'refused', records: [good] })).toEqual([
      'results[0] refused and yet told',
    ])
    expect(over({ status: 'refused' })).toEqual(['results[0] refused and yet told'])
  })

  const wrong = (result: Partial<AnswerBody['results'][number]>, over: Partial<AnswerBody> = {}) =>
    contradictions(body(result, over), scope, vocabulary)

  it('that says what it read contradicts itself in nothing', () => {
    const records = [
      record('penalty', {
        decided: '2026-05-01',
        publishedUntil: 'indefinite',
        fine: { amount: '1', currency: 'CNY', unit: '1' },
        kinds: { codes: ['01', '02'], original: '警告、罚款' },
        grade: code('minor'),
        number: '1',
      }),
      record('rating', {
        score: '-81.50',
        level: { codes: ['tax-2025.a', 'tax-2025.b'], ambiguous: true, original: 'A/B' },
      }),
      record('penalty', { decided: { untranslated: '不详' }, fine: { untranslated: '若干' }, kinds: code('02') }),
    ]
    expect(wrong({ records })).toEqual([])
  })

  it.each<[string, string, Value]>([
    ['a day that is none', 'penalty.decided', '2026-5-1'],
    ['a day with a time', 'penalty.decided', '2026-05-01T00:00:00'],
    ['a day with something before it', 'penalty.decided', ' 2026-05-01'],
    ['a word for ever with more', 'penalty.decided', 'indefinitely'],
    ['a number that is none', 'rating.score', '1.'],
    ['a number with a word behind it', 'rating.score', '1分'],
    ['a number with a word before it', 'rating.score', 'A1'],
    ['a coded field as a text', 'penalty.grade', 'minor'],
    ['an amount as a text', 'penalty.fine', '1'],
    ['a text as an amount', 'penalty.number', { amount: '1', currency: 'CNY', unit: '1' }],
    ['a text as a code', 'penalty.number', code('minor')],
    ['a text as a word that did not translate', 'penalty.number', { untranslated: '1' }],
    ['a code of another set', 'penalty.grade', code('02')],
    ['several codes of which one is of no set', 'penalty.kinds', { codes: ['02', 'gossip'], original: 'x' }],
    ['a day as a code', 'penalty.decided', code('minor')],
    ['a field of no vocabulary', 'penalty.shoeSize', '1'],
    ['a field of another family', 'penalty.score', '1'],
    ['a record of a family of no vocabulary', 'gossip.number', '1'],
  ])('that gives %s contradicts itself', (_, path, value) => {
    const [family = '', field = ''] = path.split('.')
    expect(wrong({ records: [good, record(family, { [field]: value })] })).toEqual([`results[0].records[1].${field}`])
  })

  it('that leaves out how fresh a family is, tells it twice or of another, contradicts itself', () => {
    const fresh = (...named: string[]) => ({ freshness: named.map(family => ({ family, status: 'fresh' as const })) })
    expect(wrong({}, fresh('licence', 'penalty', 'list'))).toEqual(['freshness'])
    expect(wrong({}, fresh(...families, 'breach'))).toEqual(['freshness'])
    expect(wrong({}, fresh('licence', 'penalty', 'list', 'list'))).toEqual(['freshness'])
    expect(wrong({}, fresh('licence', 'penalty', 'list', 'breach'))).toEqual(['freshness'])
    expect(wrong({}, fresh(...families.toReversed()))).toEqual([])
  })

  it('that withholds of a family that nobody knows contradicts itself', () => {
    const withheld = (...named: string[]) => ({
      withheld: named.map(family => ({ family, rule: 'agreement.family' as const })),
    })
    expect(wrong({}, withheld('breach', 'gossip'))).toEqual(['withheld'])
    expect(wrong({}, withheld('breach'))).toEqual([])
  })

  it('that is answered and yet lacks something, or lacks nothing and is not answered, contradicts itself', () => {
    const unknown = [{ family: 'penalty', rule: 'source.unreachable' as const }]
    const stale = {
      freshness: families.map(family => ({
        family,
        status: family === 'list' ? ('stale' as const) : ('fresh' as const),
      })),
    }
    expect(wrong({ unknown })).toEqual(['results[0].status'])
    expect(wrong({}, stale)).toEqual(['results[0].status'])
    expect(wrong({ unknown }, stale)).toEqual(['results[0].status'])
    for (const status of ['unknown', 'stale'] as const) {
      expect(wrong({ status })).toEqual(['results[0].status'])
      expect(wrong({ status, unknown })).toEqual([])
      expect(wrong({ status }, stale)).toEqual([])
    }
  })

  it('that lacks a family that nobody asked for contradicts itself, and one that is refused says nothing of that', () => {
    const unknown = [
      { family: 'penalty', rule: 'source.unreachable' as const },
      { family: 'breach', rule: 'source.unreachable' as const },
    ]
    expect(wrong({ status: 'unknown', unknown })).toEqual(['results[0].unknown'])
    expect(wrong({ subject: undefined, status: 'refused', rule: 'subject.person' })).toEqual([])
  })
})
