/** What a question gets of an agreement, worked out by hand: who may ask, when, for what, and what is said of the rest. */
import { describe, expect, it } from 'vitest'
import type { Agreement, Agreements, Grant, Signed } from '#agreement/agreement.ts'
import { authorise, checkQuestion, inForce, judge, type Permission, scopeOf } from '#agreement/authorise.ts'
import { countInMemory } from '#agreement/counts.ts'
import { quotas } from '#agreement/quota.ts'
import { canonical, digest, sha256 } from '#protocol/canonical.ts'
import type { Query, Want } from '#protocol/message.ts'
import { Refusal } from '#protocol/refusal.ts'
import { completeUscc } from '#protocol/subject.ts'
import { reaches, shareLevels } from '#schema/record.ts'
import type { Vocabulary } from '#schema/vocabulary.ts'
import { vocabulary as shipped } from '../schema/cities.ts'
import { signedOf as signedFor } from './signed.ts'
import { huizhou, verified } from './verified.ts'

const [ordinary] = shipped.purposes.values()
if (ordinary === undefined) throw new Error('no purpose')
const vocabulary: Vocabulary = {
  ...shipped,
  purposes: new Map([
    ...shipped.purposes,
    ['of-may', { ...ordinary, code: 'of-may', validFrom: '2026-05-01', validTo: '2026-05-31' }],
  ]),
}
const NOON = Date.parse('2026-05-20T04:00:00Z')

const penalty: Grant = {
  clause: '第一条',
  from: ['huizhou'],
  to: ['jiangyin'],
  purposes: ['tendering'],
  kinds: ['enterprise'],
  shareLevel: 'public',
  families: { penalty: { fields: ['holder', 'number', 'remark'] } },
}

const signedOf = (grants: Grant[], over: Partial<Agreement> = {}) =>
  signedFor(grants, over, { begins: NOON - 1000, ends: NOON + 1000 })

function codeOf(work: () => unknown): string {
  try {
    work()
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

function codeIn(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'taken',
    error =>
      codeOf(() => {
        throw error
      }),
  )
}

/** The scope of a question by Jiangyin to Huizhou, in a form to compare. */
function scope(grants: Grant[], want: Want[], { from = 'huizhou', to = 'jiangyin', purpose = 'tendering' } = {}) {
  const { families, withheld } = scopeOf(signedOf(grants), { from, to, purpose, want }, vocabulary)
  const fields = [...families].map(([family, clauses]) => [family, clauses.map(each => [...each.fields].join())])
  return { fields: Object.fromEntries(fields), withheld }
}

const BY_LAW: readonly string[] = [
  'record.person',
  'record.catalogue',
  'agreement.share-level',
  'record.publicity',
  'record.ended',
]
const otherKinds = { family: 'penalty', kinds: ['individual-business', 'cooperative'], rule: 'agreement.family' }

describe('the words of a question', () => {
  const good = { purpose: 'tendering', matter: '苏澄招〔2026〕1号', subjects: 1, want: [{ family: 'penalty' }] }
  const check = (over: Partial<typeof good & { want: Want[] }>, at = NOON) =>
    codeOf(() => checkQuestion({ ...good, ...over }, vocabulary, at))

  it.each([
    ['a hundred subjects', { subjects: 100 }, 'taken'],
    ['a hundred and one', { subjects: 101 }, 'query.subjects'],
    ['a matter of blanks', { matter: ' \t ' }, 'query.matter'],
    ['an identity number in its matter', { matter: '查 11010119900307775X 案' }, 'query.matter'],
    ['a mobile number in its matter', { matter: '电话13800138000' }, 'query.matter'],
    ['a purpose of no vocabulary', { purpose: 'curiosity' }, 'query.purpose'],
    ['a family of no vocabulary', { want: [{ family: 'gossip' }] }, 'query.want'],
    ['a field of no vocabulary', { want: [{ family: 'penalty', fields: ['number', 'shoeSize'] }] }, 'query.want'],
    ['a field of another family', { want: [{ family: 'licence', fields: ['fine'] }] }, 'query.want'],
    ['fields of its family', { want: [{ family: 'penalty', fields: ['number', 'fine'] }] }, 'taken'],
    ['a family twice', { want: [{ family: 'penalty' }, { family: 'penalty', fields: ['fine'] }] }, 'query.want'],
    ['two families', { want: [{ family: 'penalty' }, { family: 'licence' }] }, 'taken'],
  ])('with %s', (_, over, code) => {
    expect(check(over)).toBe(code)
  })

  it.each([
    ['2026-04-30T15:59:59.999Z', 'query.purpose'],
    ['2026-04-30T16:00:00Z', 'taken'],
    ['2026-05-31T15:59:59.999Z', 'taken'],
    ['2026-05-31T16:00:00Z', 'query.purpose'],
  ])('are of the vocabulary of that day in Asia/Shanghai: %s', (at, code) => {
    expect(check({ purpose: 'of-may' }, Date.parse(at))).toBe(code)
  })
})

describe('an agreement', () => {
  const signed = signedOf([penalty])
  const agreements: Agreements = { all: [signed], find: id => (id === 'a-2026' ? signed : undefined), idle: [] }
  const force = (over: { id?: string; digest?: string }, parties = ['jiangyin', 'huizhou'], at = NOON) =>
    codeOf(() => inForce(agreements, { id: 'a-2026', digest: signed.digest, ...over }, parties, at))

  it.each([
    ['that both signed', {}, undefined, undefined, 'taken'],
    ['that nobody knows', { id: 'b-2026' }, undefined, undefined, 'agreement.unknown'],
    ['that the asking city did not sign', {}, ['suqian', 'huizhou'], undefined, 'agreement.unknown'],
    ['that the asked city did not sign', {}, ['jiangyin', 'suqian'], undefined, 'agreement.unknown'],
    ['of another text', { digest: digest({}) }, undefined, undefined, 'agreement.digest'],
    ['in its first instant', {}, undefined, NOON - 1000, 'taken'],
    ['before it', {}, undefined, NOON - 1001, 'agreement.not-yet'],
    ['in its last instant', {}, undefined, NOON + 999, 'taken'],
    ['after it', {}, undefined, NOON + 1000, 'agreement.expired'],
  ])('%s', (_, ref, parties, at, code) => {
    expect(force(ref, parties, at)).toBe(code)
  })
})

describe('what a question gets', () => {
  it('is the fields that are granted, asked for and open, and it says which were asked for and are not', () => {
    const fields = ['remark', 'number', 'facts']
    expect(scope([penalty], [{ family: 'penalty', fields }])).toEqual({
      fields: { penalty: ['number'] },
      withheld: [
        { family: 'penalty', fields: ['facts'], rule: 'agreement.field' },
        { family: 'penalty', fields: ['remark'], rule: 'agreement.share-level' },
        otherKinds,
        { family: 'penalty', records: BY_LAW },
      ],
    })
  })

  it('without fields is all that is granted, and all else of the family is said to be withheld, in order', () => {
    const known = [...(shipped.families.get('penalty')?.fields.keys() ?? [])].sort()
    const { fields, withheld } = scope([penalty], [{ family: 'penalty' }])
    expect(fields).toEqual({ penalty: ['holder,number'] })
    expect(withheld[0]).toEqual({
      family: 'penalty',
      fields: known.filter(field => !['holder', 'number', 'remark'].includes(field)),
      rule: 'agreement.field',
    })
  })

  it('says nothing of fields where all that were asked for are given', () => {
    expect(scope([penalty], [{ family: 'penalty', fields: ['number', 'holder', 'number'] }])).toEqual({
      fields: { penalty: ['holder,number'] },
      withheld: [otherKinds, { family: 'penalty', records: BY_LAW }],
    })
  })

  it('says nothing of kinds of subject where all are covered, by one clause or by several', () => {
    const rest: Grant = { ...penalty, clause: '第二条', kinds: ['individual-business', 'cooperative'] }
    const { withheld } = scope([penalty, rest], [{ family: 'penalty', fields: ['number'] }])
    expect(withheld).toEqual([{ family: 'penalty', records: BY_LAW }])
  })

  it('does not count the kinds of a clause that gives nothing of what is asked for', () => {
    const rest: Grant = {
      ...penalty,
      kinds: ['individual-business', 'cooperative'],
      families: { penalty: { fields: ['holder'] } },
    }
    const { fields, withheld } = scope([penalty, rest], [{ family: 'penalty', fields: ['number'] }])
    expect(fields).toEqual({ penalty: ['number'] })
    expect(withheld).toContainEqual(otherKinds)
  })

  it('goes up to the share level of each clause and not of another', () => {
    const government: Grant = { ...penalty, shareLevel: 'government', families: { penalty: { fields: ['remark'] } } }
    const { fields, withheld } = scope([penalty, government], [{ family: 'penalty', fields: ['number', 'remark'] }])
    expect(fields).toEqual({ penalty: ['number', 'remark'] })
    expect(withheld).toEqual([otherKinds, { family: 'penalty', records: BY_LAW }])
  })

  it('tells of which list, and in which scheme, though nobody asked for that, and that others are withheld', () => {
    const both: Grant = {
      ...penalty,
      kinds: ['enterprise', 'individual-business', 'cooperative'],
      families: {
        list: { fields: ['type', 'name'], lists: ['wage-arrears'] },
        rating: { fields: ['scheme', 'level'], schemes: ['tax-2025'] },
      },
    }
    const want: Want[] = [
      { family: 'list', fields: ['name'] },
      { family: 'rating', fields: ['level'] },
    ]
    expect(scope([both], want)).toEqual({
      fields: { list: ['name,type'], rating: ['level,scheme'] },
      withheld: [
        {
          family: 'list',
          records: [
            'record.person',
            'record.catalogue',
            'record.computed',
            'agreement.list',
            'agreement.share-level',
            'record.publicity',
            'record.ended',
            'record.escalation',
          ],
        },
        { family: 'rating', records: BY_LAW.toSpliced(2, 0, 'agreement.scheme') },
      ],
    })
    const [ofLists] = scopeOf(
      signedOf([both]),
      { from: 'huizhou', to: 'jiangyin', purpose: 'tendering', want },
      vocabulary,
    ).families.get('list') ?? [undefined]
    expect(ofLists).toEqual({
      clause: '第一条',
      kinds: new Set(both.kinds),
      level: 'public',
      fields: new Set(['name', 'type']),
      lists: new Set(['wage-arrears']),
      schemes: undefined,
    })
  })

  it('is bound to the lists of a family that has lists, to the schemes of one that has schemes, and to neither elsewhere', () => {
    const all: Grant = {
      ...penalty,
      families: {
        penalty: { fields: ['number'] },
        list: { fields: ['type'], lists: ['wage-arrears', 'honour'] },
        rating: { fields: ['scheme'], schemes: ['tax-2025', 'customs-2026'] },
      },
    }
    const want = ['penalty', 'list', 'rating'].map(family => ({ family }))
    const { families } = scopeOf(
      signedOf([all]),
      { from: 'huizhou', to: 'jiangyin', purpose: 'tendering', want },
      vocabulary,
    )
    const bounds = [...families].flatMap(([family, clauses]) =>
      clauses.map(({ lists, schemes }) => [family, lists && [...lists], schemes && [...schemes]]),
    )
    expect(bounds).toEqual([
      ['penalty', undefined, undefined],
      ['list', ['wage-arrears', 'honour'], undefined],
      ['rating', undefined, ['tax-2025', 'customs-2026']],
    ])
  })

  it('names the family that no clause covers, beside one that a clause does', () => {
    const { fields, withheld } = scope([penalty], [{ family: 'licence' }, { family: 'penalty', fields: ['number'] }])
    expect(Object.keys(fields)).toEqual(['penalty'])
    expect(withheld[0]).toEqual({ family: 'licence', rule: 'agreement.family' })
  })

  it('that is nothing has its reason: the purpose, the direction, the family, the fields', () => {
    const want: Want[] = [{ family: 'penalty', fields: ['number'] }]
    expect(codeOf(() => scope([penalty], want, { purpose: 'awards' }))).toBe('agreement.purpose')
    expect(codeOf(() => scope([penalty], want, { to: 'suqian' }))).toBe('agreement.purpose')
    expect(codeOf(() => scope([penalty], want, { from: 'jiangyin', to: 'huizhou' }))).toBe('agreement.purpose')
    expect(codeOf(() => scope([penalty], [{ family: 'licence' }]))).toBe('agreement.family')
    expect(codeOf(() => scope([penalty], [{ family: 'penalty', fields: ['fine'] }]))).toBe('agreement.field')
    expect(codeOf(() => scope([penalty], [{ family: 'penalty', fields: ['remark'] }]))).toBe('agreement.field')
  })

  it('is worked out for each question and each agreement for itself', () => {
    const wide: Grant = { ...penalty, families: { penalty: { fields: ['holder', 'number', 'fine'] } } }
    const ask = { from: 'huizhou', to: 'jiangyin', purpose: 'tendering', want: [{ family: 'penalty' }] }
    const [narrow, other] = [signedOf([penalty]), signedOf([wide])]
    const of = (signed: Signed, want: Want[]) =>
      [...scopeOf(signed, { ...ask, want }, vocabulary).families.values()].flat().map(({ fields }) => [...fields])
    expect(of(narrow, ask.want)).toEqual([['holder', 'number']])
    expect(of(other, ask.want)).toEqual([['fine', 'holder', 'number']])
    expect(of(narrow, [{ family: 'penalty', fields: ['holder'] }])).toEqual([['holder']])
    expect(scopeOf(narrow, ask, vocabulary)).toBe(scopeOf(narrow, ask, vocabulary))
  })

  it('carries what it withholds as one canonical text, and the digest of it', () => {
    const ask = { from: 'huizhou', to: 'jiangyin', purpose: 'tendering', want: [{ family: 'penalty' }] }
    const { withheld, withheldText, withheldDigest } = scopeOf(signedOf([penalty]), ask, vocabulary)
    expect(withheldText).toBe(canonical(withheld))
    expect(withheldDigest).toBe(sha256(withheldText))
  })
})

describe('a share level', () => {
  it('reaches itself and what is below it, and never what has none or an unknown one', () => {
    for (const [i, granted] of shareLevels.entries()) {
      for (const [j, level] of shareLevels.entries()) expect(reaches(granted, level)).toBe(j <= i)
      for (const none of [undefined, 'undetermined'] as const) expect(reaches(granted, none)).toBe(false)
    }
  })
})

describe('a question that was verified', () => {
  const firm = completeUscc('91320281MA1TE100')

  const asked = (signed: Signed, over: Partial<Query> = {}, sealed = false) =>
    verified(signed, { subjects: [firm], want: [{ family: 'penalty', fields: ['number'] }], ...over }, sealed)

  const authority = (signed: Signed) => ({
    ...huizhou(signed, NOON),
    vocabulary,
    quotas: quotas(
      () => NOON,
      () => 0,
      countInMemory(),
    ),
  })

  it('is permitted as it was asked, each subject judged for itself, at this instant', async () => {
    const signed = signedOf([penalty])
    const subjects = [firm, '11010119900307775X', 'nonsense', ` ${firm.toLowerCase()} `]
    const permission: Permission = await authorise(asked(signed, { subjects }), authority(signed))
    expect(permission).toMatchObject({
      agreement: { id: 'a-2026', digest: signed.digest },
      purpose: 'tendering',
      peer: 'jiangyin',
      judged: [
        { subject: { uscc: firm, kind: 'enterprise' } },
        { refused: 'subject.person' },
        { refused: 'subject.malformed' },
        { subject: { uscc: firm } },
      ],
      subjects: [firm, firm],
      families: ['penalty'],
      at: NOON,
    })
    expect([...permission.scope.families.keys()]).toEqual(['penalty'])
  })

  it('is sealed exactly where the agreement says so', async () => {
    for (const confidential of [true, undefined] as const) {
      const signed = signedOf([penalty], confidential && { confidential })
      for (const sealed of [true, false]) {
        const right = sealed === (confidential === true)
        expect(await codeIn(authorise(asked(signed, {}, sealed), authority(signed)))).toBe(
          right ? 'taken' : 'agreement.confidential',
        )
      }
    }
  })

  it('counts against the quota with all its subjects, and one that is refused before does not', async () => {
    const signed = signedOf([penalty], { quota: { questionsPerMinute: 10, subjectsPerDay: 3 } })
    const us = authority(signed)
    const subjects = [firm, firm]
    expect(await codeIn(authorise(asked(signed, { subjects, purpose: 'awards' }), us))).toBe('agreement.purpose')
    expect(await codeIn(authorise(asked(signed, { subjects, purpose: 'curiosity' }), us))).toBe('query.purpose')
    expect(await codeIn(authorise(asked(signed, { subjects }), us))).toBe('taken')
    expect(await codeIn(authorise(asked(signed, { subjects }), us))).toBe('load.rate')
    expect(await codeIn(authorise(asked(signed), us))).toBe('taken')
  })

  it('by a city that is no party, or of more subjects than there may be, is refused', async () => {
    const signed = signedOf([penalty])
    const us = authority(signed)
    expect(await codeIn(authorise(asked(signed, { iss: 'suqian' }), us))).toBe('agreement.unknown')
    expect(await codeIn(authorise(asked(signed), { ...us, id: 'suqian' }))).toBe('agreement.unknown')
    const many = Array.from({ length: 101 }, () => firm)
    expect(await codeIn(authorise(asked(signed, { subjects: many }), us))).toBe('query.subjects')
  })
})

describe('a subject', () => {
  it('that may not be asked about is its reason, and any other fault is no judgement', () => {
    expect(judge('110101199003077758')).toEqual({ refused: 'subject.person' })
    expect(judge('')).toEqual({ refused: 'subject.malformed' })
  })
})
