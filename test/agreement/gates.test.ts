import { describe, expect, it } from 'vitest'
import type { Clause } from '#agreement/authorise.ts'
import { type Circumstances, gates, isUndetermined, keptBack, marksOf, stoppedBy } from '#agreement/gates.ts'
import type { Freshness } from '#protocol/message.ts'
import { type RefusalCode, refusals } from '#protocol/refusal.ts'
import { completeUscc } from '#protocol/subject.ts'
import type { SharedRecord } from '#schema/record.ts'
import { vocabulary } from '../schema/cities.ts'
import { base, clause, entry, honour, local, ofLists, ofRatings, penalty, rating, saying } from './records.ts'
import { today } from './shipped.ts'

/** A right code that has the form of an identity number as well, though not its check digit. */
const BOTH = completeUscc('1101011990010103')
/** A national catalogue of all there is, to the end of a day. */
const until = (validTo: string) =>
  [...vocabulary.families.keys()].map(family => ({
    code: family,
    family,
    names: undefined,
    cities: undefined,
    validFrom: null,
    validTo,
  }))
const at = { today, clauses: [clause], giver: 'jiangyin', vocabulary }
/** What each family is granted by, unless a test says otherwise. */
const grantedBy: Readonly<Record<string, Clause>> = { list: ofLists, rating: ofRatings }
const judge = (record: SharedRecord, over: Partial<Circumstances> = {}) =>
  stoppedBy(record, { ...at, clauses: [grantedBy[record.family] ?? clause], ...over })

describe('the gates', () => {
  it.each([base, penalty, entry, honour, rating])('let an ordinary record of $family pass, unmarked', record => {
    expect(judge(record)).toBeUndefined()
    expect(marksOf(record, { ...at, clauses: [clause] })).toEqual([])
  })

  it('stand in the order of the rules', () => {
    expect(gates.map(({ section, rule }) => [section, rule])).toEqual([
      [1, 'record.person'],
      [2, 'record.catalogue'],
      [3, 'record.computed'],
      [3, 'record.notice'],
      [4, 'agreement.family'],
      [4, 'agreement.list'],
      [4, 'agreement.scheme'],
      [4, 'agreement.share-level'],
      [5, 'record.publicity'],
      [6, 'record.ended'],
      [6, 'record.objection'],
      [7, 'record.territorial'],
      [8, 'record.escalation'],
      [8, 'record.escalation-doubt'],
      [10, 'record.masked'],
      [12, 'source.stale'],
    ])
  })

  it('each have a public text in Chinese and in English, and no two the same', () => {
    const texts = gates.flatMap(({ rule }) => [refusals[rule].zh, refusals[rule].en])
    for (const { rule } of gates) {
      expect(refusals[rule].zh).toMatch(/\p{sc=Han}/u)
      expect(refusals[rule].en).not.toMatch(/\p{sc=Han}/u)
    }
    expect(new Set(texts).size).toBe(texts.length)
  })

  it('say by rule what of a family is kept back, whether or not there is any of it', () => {
    const always = ['record.person', 'record.catalogue', 'agreement.share-level', 'record.publicity', 'record.ended']
    for (const family of ['licence', 'penalty', 'commitment', 'contract', 'breach']) {
      expect(keptBack(family, vocabulary)).toEqual(always)
    }
    expect(keptBack('rating', vocabulary)).toEqual(always.toSpliced(2, 0, 'agreement.scheme'))
    expect(keptBack('list', vocabulary)).toEqual(
      always.toSpliced(2, 0, 'record.computed', 'agreement.list').concat('record.escalation'),
    )
  })
})

const stopped: readonly (readonly [string, SharedRecord, Partial<Circumstances>, RefusalCode])[] = [
  // 1 subject
  ['about a natural person', { ...base, aboutPerson: true }, {}, 'record.person'],
  ['that may be about a person', { ...base, aboutPerson: 'undetermined' }, {}, 'record.person'],
  ['about no kind of enterprise', { ...base, kind: undefined }, {}, 'record.person'],
  ['whose holder is an identity number', saying(base, { holder: '110101199003077758' }), {}, 'record.person'],
  ['whose holder holds one', saying(base, { holder: '身份证110101199003077758' }), {}, 'record.person'],
  [
    'whose holder has the form of one, though a firm’s code may have it',
    saying(base, { holder: BOTH }),
    {},
    'record.person',
  ],
  ['that is a personal score', saying(rating, { scheme: { untranslated: '个人信用积分' } }), {}, 'record.person'],
  ['that rates persons', saying(rating, { rated: '自然人信用评价' }), {}, 'record.person'],
  ['of a list of persons', saying(honour, { name: '优秀青年志愿者' }), {}, 'record.person'],
  ['of a list of persons, by its type', saying(honour, { type: { untranslated: '个人红名单' } }), {}, 'record.person'],
  // 2 catalogue
  ['of a family in no catalogue', { ...base, family: 'gossip' }, {}, 'record.catalogue'],
  ['of a list that did not translate', { ...entry, list: undefined }, {}, 'record.catalogue'],
  ['of another city’s own catalogue', { ...rating, scheme: 'huizhou-importers' }, {}, 'record.catalogue'],
  [
    'of its own catalogue that no clause names',
    { ...rating, scheme: 'huizhou-importers' },
    { giver: 'huizhou', clauses: [{ ...ofRatings, schemes: new Set(['tax-2025']) }] },
    'record.catalogue',
  ],
  [
    'of no catalogue of that day',
    base,
    { vocabulary: { ...vocabulary, catalogue: until('2026-11-21') } },
    'record.catalogue',
  ],
  // 3 list
  [
    'of a list made by counting, which no clause names',
    { ...entry, list: 'computed-black' },
    { giver: 'suqian', clauses: [{ ...ofLists, lists: new Set(['local-black', 'computed-black-2']) }] },
    'record.catalogue',
  ],
  [
    'that says of itself that it was made by counting, whatever its list',
    saying(entry, { reason: '系统自动加入黑名单' }),
    {},
    'record.computed',
  ],
  [
    'of a list made by counting, were it in a national catalogue',
    { ...entry, list: 'computed-black' },
    { clauses: [clause], vocabulary: { ...vocabulary, catalogue: until('2026-11-22') } },
    'record.computed',
  ],
  [
    'made by counting, where one clause names its list and another those that are made so',
    saying(entry, { reason: '系统自动加入黑名单' }),
    { clauses: [ofLists, { ...ofLists, lists: new Set(['computed-black']) }] },
    'agreement.list',
  ],
  ['of a red list made by counting', saying(honour, { reason: '系统自动加入红名单' }), {}, 'record.computed'],
  // 4 share level, agreement, purpose
  ['of a family or kind that no clause covers', base, { clauses: [] }, 'agreement.family'],
  ['of a list that no clause names', { ...entry, list: 'work-safety' }, {}, 'agreement.list'],
  ['of a rating scheme that no clause names', { ...rating, scheme: 'customs-2026' }, {}, 'agreement.scheme'],
  ['shared only with an authorisation', { ...base, level: 'authorised' }, {}, 'agreement.share-level'],
  ['that its city does not share', { ...base, level: undefined }, {}, 'agreement.share-level'],
  ['whose share level is not known', { ...base, level: 'undetermined' }, {}, 'agreement.share-level'],
  [
    'that one clause covers by list and another by level',
    { ...entry, level: 'government' },
    {
      clauses: [
        { ...ofLists, level: 'public' },
        { ...clause, lists: new Set(['honour']) },
      ],
    },
    'agreement.share-level',
  ],
  // 5 clock: publicity.test.ts has the rest
  ['whose publicity ended yesterday', { ...base, publishedUntil: '2026-11-21' }, {}, 'record.publicity'],
  [
    'whose day of decision is not known',
    saying(penalty, { decided: { untranslated: '不详' } }),
    {},
    'record.publicity',
  ],
  // 6 ends
  ['that was withdrawn', { ...base, state: 'withdrawn' }, {}, 'record.ended'],
  ['that was repaired', { ...base, state: 'repaired' }, {}, 'record.ended'],
  ['that was deleted', { ...base, state: 'deleted' }, {}, 'record.ended'],
  ['that its city declares ended', { ...base, state: 'ended' }, {}, 'record.ended'],
  ['whose state is not known', { ...base, state: 'undetermined' }, {}, 'record.ended'],
  ['that was taken off its list today', { ...honour, endedOn: today }, {}, 'record.ended'],
  // 8 no escalation
  ['of a broken commitment on a black list', saying(local, { reason: '未履行信用承诺' }), {}, 'record.escalation'],
  ['of a first minor offence there', saying(local, { reason: '首次轻微违法，已改正' }), {}, 'record.escalation'],
  ['of 首违不罚 there', saying(local, { reason: '适用首违不罚' }), {}, 'record.escalation'],
  ['of minor dishonesty there', saying(local, { reason: '轻微失信' }), {}, 'record.escalation'],
  [
    'of a broken commitment on a severe list without its document',
    saying(entry, { document: '', reason: '違反信用承諾' }),
    {},
    'record.escalation',
  ],
]

describe('a gate stops a record', () => {
  it.each(stopped)('%s', (_, record, over, rule) => {
    expect(judge(record, over)).toBe(rule)
  })

  it('by the catalogue of the day, whatever it was asked for the day before', () => {
    const words = { ...vocabulary, catalogue: until('2026-11-21') }
    const days = ['2026-11-21', '2026-11-22', '2026-11-21']
    expect(days.map(today => judge(base, { today, vocabulary: words }))).toEqual([
      undefined,
      'record.catalogue',
      undefined,
    ])
  })

  it('for every rule that a record can be kept back by', () => {
    const rules = gates.flatMap(gate => ('stops' in gate ? gate.rule : []))
    expect(new Set(stopped.map(([, , , rule]) => rule))).toEqual(new Set(rules))
  })
})

describe('of a record that stays', () => {
  const undetermined = (record: SharedRecord, over: Partial<Circumstances> = {}) =>
    isUndetermined(record, { ...at, clauses: [grantedBy[record.family] ?? clause], ...over })
  const before = saying(entry, { listed: '2026-03-31' })

  it.each<[string, SharedRecord]>([
    ['its state is no word that is known', { ...base, state: 'undetermined' }],
    ['its list is no word that is known', { ...entry, list: undefined }],
    ['its share level is no word that is known, or missing', { ...base, level: 'undetermined' }],
    [
      'its state is no word that is known, whatever its scheme',
      { ...rating, scheme: 'customs-2026', state: 'undetermined' },
    ],
    ['neither its list nor its share level is known', { ...entry, list: undefined, level: 'undetermined' }],
    ['its rating scheme is no word that is known, or missing', { ...rating, scheme: undefined }],
    ['it may be about a person, or about a firm', { ...base, aboutPerson: 'undetermined' }],
    ['it was listed under no rule, and its city states no end', before],
    ['it was listed under no rule, and its city states that it is for ever', { ...before, endedOn: 'indefinite' }],
    ['it was decided before there was any rule', saying(penalty, { decided: '2016-07-08' })],
    ['it states no day of decision', saying(penalty, { decided: { untranslated: '' } })],
    ['its day of decision cannot be read', saying(penalty, { decided: { untranslated: '不详' } })],
    ['its day of decision is still to come', saying(penalty, { decided: '2027-01-01' })],
    ['it may be minor, and not meant to be public', saying(penalty, { grade: { untranslated: '较重' } })],
    [
      'it is public by one of its possible grades, and by the other no more',
      saying(penalty, {
        decided: '2026-05-06',
        grade: { codes: ['minor', 'general'], ambiguous: true, original: '1' },
      }),
    ],
    [
      'it is not corrected, and no end of its sector is stated',
      { ...saying(penalty, { decided: '2023-06-01' }), uncorrected: true },
    ],
    [
      'neither its state nor its day can be told',
      { ...saying(penalty, { decided: '2027-01-01' }), state: 'undetermined' },
    ],
    [
      'its state is no word that is known, and it ends tomorrow',
      { ...base, state: 'undetermined', endedOn: '2026-11-23' },
    ],
    [
      'nobody knows how it was made, whatever list it says that it is of',
      { ...entry, list: 'computed-black', state: 'undetermined' },
    ],
  ])('it is said that nobody can tell where %s', (_, record) => {
    expect(judge(record)).toBeDefined()
    expect(undetermined(record)).toBe(true)
  })

  it.each<[string, SharedRecord, Partial<Circumstances>?]>([
    ['is about a person', { ...base, aboutPerson: true, fields: {} }],
    [
      'shows the number of a person',
      saying({ ...base, aboutPerson: 'undetermined' }, { holder: '110101199003077758' }),
    ],
    [
      'is a score of persons by a scheme of no word',
      saying({ ...rating, scheme: undefined }, { scheme: { untranslated: '个人信用积分' } }),
    ],
    ['is about no kind of enterprise', { ...base, aboutPerson: 'undetermined', kind: undefined }],
    ['is of another city’s own catalogue', { ...rating, scheme: 'huizhou-importers' }],
    [
      'is of a list of another city’s own catalogue',
      { ...entry, list: 'computed-black' },
      { clauses: [{ ...ofLists, lists: new Set(['computed-black']) }] },
    ],
    ['was repaired', { ...before, state: 'repaired' }],
    ['has ended today, whatever its state', { ...base, state: 'undetermined', endedOn: today }],
    [
      'is of a list of no word, and nothing of the family is in a catalogue',
      { ...entry, list: undefined },
      { vocabulary: { ...vocabulary, catalogue: [] } },
    ],
    [
      'is of a scheme that no clause names, whatever its level',
      { ...rating, scheme: 'customs-2026', level: 'undetermined' },
    ],
    ['was taken off its list, though nobody knows since when it was on it', { ...before, endedOn: today }],
    [
      'is past the end that its city states, though its day cannot be read',
      { ...saying(penalty, { decided: { untranslated: '?' } }), publishedUntil: '2026-11-21' },
    ],
    [
      'is past the longest of its possible grades',
      saying(penalty, { decided: '2020-01-01', grade: { untranslated: '较重' } }),
    ],
    ['is minor and not published, as a rule', saying(penalty, { grade: { code: 'minor', original: '轻微' } })],
    ['is of a list that no clause names, whatever its level', { ...entry, list: 'work-safety', level: 'undetermined' }],
    ['was repaired, whatever its level', { ...base, state: 'repaired', level: 'undetermined' }],
    ['has no share level, which is what a secret has', { ...base, level: undefined }],
    ['is above the level of every clause, whatever its list', { ...entry, list: undefined, level: 'authorised' }],
    ['is of a list that no clause names, whatever its day', { ...before, list: 'work-safety' }],
    ['is of a family that no clause covers, whatever its state', { ...base, state: 'undetermined' }, { clauses: [] }],
    [
      'speaks of a broken commitment on a local list, whatever its day',
      saying({ ...before, list: 'local-black' }, { reason: '未履行信用承诺' }),
    ],
  ])('nothing more is said where it %s', (_, record, over) => {
    expect(judge(record, over)).toBeDefined()
    expect(undetermined(record, over)).toBe(false)
  })

  it('one clause that may grant it is enough, whatever the others say', () => {
    const others = { ...ofLists, level: 'public' as const, lists: new Set(['honour']) }
    const record = { ...entry, level: 'undetermined' as const }
    expect(undetermined(record, { clauses: [others, ofLists] })).toBe(true)
    expect(undetermined(record, { clauses: [others] })).toBe(false)
  })

  it('its list may be of the giving city’s own catalogue, where that is the only one', () => {
    const record = { ...entry, list: undefined }
    const own = { ...vocabulary, catalogue: vocabulary.catalogue.filter(({ cities }) => cities !== undefined) }
    expect(undetermined(record, { vocabulary: own, giver: 'suqian' })).toBe(true)
    expect(undetermined(record, { vocabulary: own, giver: 'shanghai' })).toBe(false)
  })

  it('nobody has to be told of one that leaves', () => {
    for (const record of [base, penalty, entry, honour, rating]) expect(undetermined(record)).toBe(false)
  })
})

describe('a gate lets a record pass', () => {
  it.each<[string, SharedRecord, Partial<Circumstances>]>([
    ['to which an objection is pending', { ...base, state: 'objection' }, {}],
    ['on the last day of its publicity', { ...base, publishedUntil: today }, {}],
    [
      'of a contract about a loan to persons',
      { ...base, family: 'contract', fields: { name: '个人住房贷款合同' } },
      {},
    ],
    ['of a penalty that was calculated by a machine', saying(penalty, { remark: '罚款金额由系统自动计算' }), {}],
    ['of an honour that speaks of a first offence', saying(honour, { reason: '首违不罚后无违法记录' }), {}],
    ['in a catalogue to the last day of it', base, { vocabulary: { ...vocabulary, catalogue: until(today) } }],
    ['of indefinite publicity', { ...base, publishedUntil: 'indefinite' }, {}],
    ['that will be taken off its list tomorrow', { ...honour, endedOn: '2026-11-23' }, {}],
    [
      'of its own catalogue, where the agreement names it',
      { ...rating, scheme: 'huizhou-importers' },
      { giver: 'huizhou' },
    ],
    [
      'of its own catalogue, where one of two clauses names it',
      { ...rating, scheme: 'huizhou-importers' },
      { giver: 'huizhou', clauses: [{ ...ofRatings, schemes: new Set(['tax-2025']) }, ofRatings] },
    ],
    [
      'made by counting, where one of two clauses names its list and those that are made so',
      saying(entry, { reason: '系统自动加入黑名单' }),
      { clauses: [ofLists, { ...ofLists, lists: new Set(['computed-black', 'wage-arrears']) }] },
    ],
    [
      'of a broken commitment that is but a breach',
      { ...base, family: 'breach', fields: { recorded: today }, publishedUntil: '2027-01-01' },
      {},
    ],
    [
      'made by counting, as a notice, where the agreement names just that',
      { ...entry, list: 'computed-black' },
      { giver: 'suqian', clauses: [{ ...ofLists, lists: new Set(['computed-black']) }] },
    ],
  ])('%s', (_, record, over) => {
    expect(judge(record, over)).toBeUndefined()
  })
})

describe('a list entry that speaks of a broken commitment', () => {
  it('is let go where it is lawful in all that makes a severe list', () => {
    expect(judge(saying(entry, { reason: '拖欠农民工工资120万元，且未履行支付承诺' }))).toBeUndefined()
  })
})

describe('a gate marks a record', () => {
  const marks = (record: SharedRecord) => marksOf(record, { ...at, clauses: [grantedBy[record.family] ?? clause] })
  const without = (field: string) => saying(entry, { [field]: { untranslated: '不详' } })

  it.each<[string, SharedRecord, readonly string[]]>([
    ['of a severe list without its authority as a local notice', without('authority'), ['notice']],
    ['of a severe list without its document as a local notice', without('document'), ['notice']],
    ['of a black list without legal basis as a local notice', { ...entry, list: 'local-black' }, ['notice']],
    [
      'of wage arrears that speaks of a commitment as well as a local notice, and does not drop it',
      saying(entry, { reason: '拖欠农民工工资120万元，且未履行支付承诺' }),
      ['notice'],
    ],
    ['made by counting as a local notice', saying(honour, { reason: '系统自动加入红名单' }), ['notice']],
    ['of an honour, though it has no legal basis, as nothing', honour, []],
    ['of a list that nobody knows as a local notice', { ...entry, list: undefined }, ['notice']],
    ['of a register of abnormal operation as nothing', { ...entry, list: 'abnormal-operation' }, []],
    ['under objection as such', { ...entry, state: 'objection' }, ['objection']],
    [
      'of a ban in the city that imposed it as territorial',
      saying(penalty, { content: '罚款；两年内禁止承接惠州建筑工程', authority: '惠州市住房和城乡建设局' }),
      ['territorial'],
    ],
    [
      'of a ban in "this city" as territorial',
      saying(penalty, { content: '一年内不得参加本市政府采购投标' }),
      ['territorial'],
    ],
    ...['本地', '当地', '我市', '本市', '本县', '属地', '全省', '该区', '辖区内', '市辖内', '本行政区域'].map(
      (here): [string, SharedRecord, readonly string[]] => [
        `of a ban from tendering in ${here} as territorial`,
        saying(penalty, { content: `一年内禁止参加${here}招标投标` }),
        ['territorial'],
      ],
    ),
    [
      'of a ban in a city of two characters, named without what it is, as territorial',
      saying(penalty, { content: '禁止承接宁波建筑工程', authority: '浙江省宁波市住房和城乡建设局' }),
      ['territorial'],
    ],
    [
      'of a ban in a county of one character as territorial',
      saying(penalty, { content: '禁止在歙县承接工程', authority: '安徽省歙县住房和城乡建设局' }),
      ['territorial'],
    ],
    [
      'of a ban that names a kind of place which every city has as nothing',
      saying(penalty, { content: '禁止从事房地产开发', authority: '某开发区管理委员会' }),
      [],
    ],
    ['of a result on a list as territorial', saying(entry, { result: '被屏蔽参与本市土地竞买' }), ['territorial']],
    [
      'of a ban that stands some words before what it forbids as territorial',
      saying(penalty, { content: '两年内禁止该企业及其分支机构在本市承接工程' }),
      ['territorial'],
    ],
    [
      'of a reason of a list entry as territorial',
      saying(entry, { reason: '因取消本市投标资格列入' }),
      ['territorial'],
    ],
    [
      'of a ban that ends before this city is spoken of as nothing',
      saying(penalty, { content: '责令停止违法行为；参加本市安全培训' }),
      [],
    ],
    [
      'of a ban in another county than that of its office as nothing',
      saying(penalty, { content: '禁止在休宁承接工程', authority: '安徽省歙县住房和城乡建设局' }),
      [],
    ],
    ['of a ban from elsewhere as nothing', saying(penalty, { content: '禁止参加外地招标投标' }), []],
    ['of what is in this city and forbids nothing as nothing', saying(penalty, { content: '参加本市安全培训' }), []],
    [
      'of a ban from the trade that its office watches as nothing',
      saying(penalty, { content: '禁止从事建筑工程', authority: '建筑工程质量监督站' }),
      [],
    ],
    [
      'of a licence, whatever it says, as nothing',
      saying(base, { content: '不得在本市以外地区参加投标', authority: '惠州市某局' }),
      [],
    ],
    ['of a ban that names no place as nothing', saying(penalty, { content: '五年内不得从事食品经营' }), []],
    [
      'with all marks that it deserves, in the order of the wire',
      { ...saying(entry, { document: '', result: '禁止参加我市招标投标' }), state: 'objection' },
      ['notice', 'objection', 'territorial'],
    ],
  ])('%s', (_, record, expected) => {
    expect(marks(record)).toEqual(expected)
  })

  it('of a list that is severe by name and by no law as a local notice', () => {
    const lists = new Map([...vocabulary.lists].map(([code, list]) => [code, { ...list, basis: null }]))
    expect(marksOf(entry, { ...at, clauses: [ofLists], vocabulary: { ...vocabulary, lists } })).toEqual(['notice'])
  })
})

describe('freshness', () => {
  const [gate] = gates.filter(each => 'ages' in each)
  const stale = (family: string, asOf: string | undefined, on: string) => {
    const freshness: Freshness = { family, ...(asOf !== undefined && { asOf }), status: 'fresh' }
    return gate?.ages(freshness, on, vocabulary)
  }

  it.each([
    ['seven working days old', '2026-11-11T01:00:00Z', '2026-11-20', false],
    ['over the weekend that follows', '2026-11-11T01:00:00Z', '2026-11-22', false],
    ['eight working days old', '2026-11-11T01:00:00Z', '2026-11-23', true],
    ['seven working days old over National Day', '2026-09-28T01:00:00Z', '2026-10-14', false],
    ['eight working days old over National Day', '2026-09-28T01:00:00Z', '2026-10-15', true],
    ['supplied after midnight in China, before it in UTC', '2026-11-10T17:00:00Z', '2026-11-20', false],
    ['years old', '2019-01-01T00:00:00Z', '2026-11-20', true],
  ])('of double publicity %s', (_, asOf, on, expected) => {
    expect(stale('penalty', asOf, on)).toBe(expected)
    expect(stale('licence', asOf, on)).toBe(expected)
  })

  it('of other families is what their own mapping says', () => {
    expect(stale('rating', '2026-01-01T00:00:00Z', today)).toBe(false)
  })

  it('is asked of nobody on a day for which there is no rule', () => {
    const until = { ...vocabulary, freshness: vocabulary.freshness.map(rule => ({ ...rule, validTo: today })) }
    const old: Freshness = { family: 'penalty', asOf: '2026-11-10T01:00:00Z', status: 'fresh' }
    expect([today, '2026-11-23'].map(day => gate?.ages(old, day, until))).toEqual([true, false])
  })

  it('of what has no instant is not made up', () => {
    expect(stale('penalty', undefined, today)).toBe(false)
  })
})
