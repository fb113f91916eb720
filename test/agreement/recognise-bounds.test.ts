/** What a list entry or a rating of another city is here, case by case, at the edges of the day, the table and the word. */
import { describe, expect, it } from 'vitest'
import {
  codeOf,
  dayIn,
  type Exchange,
  inForce,
  Recognition,
  recognise,
  Told,
  tablesFor,
  text,
  Word,
} from '#agreement/recognise.ts'
import type { RecognitionTable } from '#agreement/recognition.ts'
import type { Value, WireRecord } from '#protocol/message.ts'
import { vocabulary } from '../schema/cities.ts'
import { entryOn } from './entries.ts'
import { shipped, today } from './shipped.ts'

const exchange: Exchange = { agreement: shipped, from: 'jiangyin', to: 'huizhou', today }
const coded = (code: string): Value => ({ code, original: `本市的${code}` })
const under = (...recognition: RecognitionTable[]): Exchange => ({
  ...exchange,
  agreement: { ...shipped, recognition },
})

function said(record: WireRecord, over: Exchange = exchange, words = vocabulary) {
  const found = recognise(record, over, words)
  if (found !== undefined) expect(Recognition.parse(found)).toEqual(found)
  return found
}

const outcomeOf = (...asked: Parameters<typeof said>) => {
  const found = said(...asked)
  return found?.why?.code ?? found?.outcome
}

function rating(scheme: string, level: string, fields: Readonly<Record<string, Value>> = {}): WireRecord {
  const stated = { scheme: coded(scheme), level: coded(`${scheme}.${level}`), decided: '2026-05-01' }
  return { id: '1', family: 'rating', fields: { ...stated, ...fields } }
}

/** A record without some of its fields. */
function without(record: WireRecord, ...names: string[]): WireRecord {
  const fields = Object.entries(record.fields).filter(([name]) => !names.includes(name))
  return { ...record, fields: Object.fromEntries(fields) }
}

const row = (of: string, as: string[] = [of]) => ({ of, as, relation: 'exact', outcome: 'recognised' }) as const
const head = { clause: '第九条', from: ['jiangyin'], to: ['huizhou'] }
const lists = (over: object = {}): RecognitionTable => ({
  kind: 'list',
  ...head,
  rows: [row('wage-arrears')],
  ...over,
})
const ratings = (foreign: string, ours: string, over: object = {}): RecognitionTable => ({
  kind: 'rating',
  foreign,
  ours,
  ...head,
  rows: [row('a')],
  ...over,
})

describe('a list entry', () => {
  it('that is recognised has its own words, ours, and the clause', () => {
    expect(said(entryOn('wage-arrears'))).toEqual({
      outcome: 'recognised',
      original: { ...wordOf('wage-arrears'), text: '本市的wage-arrears' },
      as: [wordOf('wage-arrears')],
      relation: 'exact',
      clause: shipped.recognition?.[0]?.clause,
    })
  })

  it('that is information has the relation and the clause that make it so, and no word of ours', () => {
    const found = said(entryOn('honour'))
    expect(found).toMatchObject({ relation: 'overlapping', clause: shipped.recognition?.[0]?.clause })
    expect(found).not.toHaveProperty('as')
    expect(found).not.toHaveProperty('ambiguous')
    expect(said(entryOn('judgment-defaulter'))).not.toHaveProperty('relation')
  })

  it('on no list that we know is shown in its own words alone', () => {
    const own = { type: { untranslated: '黑榜' } }
    expect(said(entryOn('honour', own))).toMatchObject({
      original: { text: '黑榜' },
      why: { code: 'recognition.untranslated' },
    })
    expect(said(entryOn('honour', { type: '黑榜' }))?.original).toEqual({ text: '黑榜' })
    expect(said(without(entryOn('honour'), 'type'))?.original).toEqual({})
    const either: Value = { codes: ['honour', 'tax-a'], ambiguous: true, original: '荣誉' }
    expect(said(entryOn('honour', { type: either }))?.original).toEqual({ text: '荣誉' })
  })

  it.each([
    ['its basis alone', ['authority', 'document'], { basis: '某法' }],
    ['its authority alone', ['document'], {}],
    ['its document alone', ['authority'], {}],
  ])('on a list that is not severe has enough with %s', (_, left, fields) => {
    expect(outcomeOf(without(entryOn('tax-a', fields), ...left))).toBe('recognised')
    expect(outcomeOf(without(entryOn('tax-a'), 'authority', 'document'))).toBe('recognition.list-basis')
  })

  it('on a severe list needs a legal basis, its own or that of the list', () => {
    const bare = new Map([...vocabulary.lists].map(([code, list]) => [code, { ...list, basis: null }]))
    const words = { ...vocabulary, lists: bare }
    expect(outcomeOf(entryOn('wage-arrears'), exchange, words)).toBe('recognition.list-basis')
    expect(outcomeOf(entryOn('wage-arrears', { basis: '某法' }), exchange, words)).toBe('recognised')
  })

  it('that was made by counting is refused whatever it shows, and so is one that says so', () => {
    const all = under(lists({ rows: [row('computed-black')] }))
    expect(said(entryOn('computed-black', { basis: '某法' }), all)?.outcome).toBe('refused')
    expect(outcomeOf(entryOn('tax-a', { reason: '系统自动列入' }))).toBe('record.computed')
  })

  it('on a red list may speak of a first offence', () => {
    expect(outcomeOf(entryOn('tax-a', { reason: '首违不罚，现无违法' }))).toBe('recognised')
  })

  it('is judged by what its list was on its day', () => {
    const dated = { validFrom: '2026-05-01', validTo: '2026-05-31' }
    const some = new Map([...vocabulary.lists].map(([code, list]) => [code, { ...list, ...dated }]))
    const on = (listed: string) =>
      outcomeOf(entryOn('wage-arrears', { listed }), exchange, { ...vocabulary, lists: some })
    expect(['2026-04-30', '2026-05-01', '2026-05-31', '2026-06-01'].map(on)).toEqual([
      'recognition.date',
      'recognised',
      'recognised',
      'recognition.date',
    ])
  })

  it('is recognised by a table of lists alone, and by one of that day', () => {
    expect(
      outcomeOf(entryOn('wage-arrears'), under(ratings('tax-2025', 'tax-2025', { rows: [row('wage-arrears')] }))),
    ).toBe('recognition.unlisted')
    const of = (over: object) => outcomeOf(entryOn('wage-arrears'), under(lists(over)))
    expect(of({ validFrom: '2026-05-01', validTo: '2026-05-01' })).toBe('recognised')
    expect(of({ validFrom: '2026-05-02' })).toBe('recognition.date')
    expect(of({ validTo: '2026-04-30' })).toBe('recognition.date')
    expect(of({ rows: [row('tax-a')], validTo: '2026-04-30' })).toBe('recognition.unlisted')
    const two = under(lists({ validTo: '2026-04-30' }), lists({ validFrom: '2026-05-01', clause: '第十条' }))
    expect(said(entryOn('wage-arrears'), two)?.clause).toBe('第十条')
  })

  it('is none where its table makes it a word that we do not have', () => {
    expect(outcomeOf(entryOn('wage-arrears'), under(lists({ rows: [row('wage-arrears', ['gossip'])] })))).toBe(
      'recognition.date',
    )
  })

  it.each([
    ['notice', 'record.notice'],
    ['territorial', 'record.territorial'],
  ] as const)('given as %s is no more here, and where it is less anyway the reason is the other', (mark, code) => {
    expect(outcomeOf(entryOn('wage-arrears', {}, { [mark]: true }))).toBe(code)
    expect(outcomeOf(entryOn('honour', {}, { [mark]: true }))).toBe('recognition.information')
    expect(outcomeOf(entryOn('judgment-defaulter', {}, { [mark]: true }))).toBe('recognition.unlisted')
  })
})

describe('a rating', () => {
  it('that is recognised has its own words, ours, and the clause', () => {
    expect(said(rating('environment-yrd', 'black', { validUntil: today }))).toEqual({
      outcome: 'recognised',
      original: { ...wordOf('environment-yrd.black', 'rating-levels'), text: '本市的environment-yrd.black' },
      as: [wordOf('environment-national.red', 'rating-levels')],
      relation: 'narrower',
      clause: shipped.recognition?.[1]?.clause,
    })
    const back = { ...exchange, from: 'huizhou', to: 'jiangyin' }
    expect(said(rating('environment-national', 'red'), back)).toMatchObject({
      as: ['red', 'black'].map(level => wordOf(`environment-yrd.${level}`, 'rating-levels')),
      ambiguous: true,
      endUnknown: true,
    })
  })

  it('without a level is shown by its scheme, and with one that is no word of ours by that word', () => {
    expect(said(without(rating('tax-2025', 'a'), 'level'))?.original).toEqual({
      ...wordOf('tax-2025', 'rating-schemes'),
      text: '本市的tax-2025',
    })
    expect(said(rating('tax-2025', 'a', { level: { untranslated: 'AA+' } }))?.original).toEqual({ text: 'AA+' })
  })

  it.each<[string, WireRecord, string]>([
    [
      'of no scheme that we know',
      rating('tax-2025', 'a', { scheme: { untranslated: '某评价' } }),
      'recognition.untranslated',
    ],
    ['that says no scheme', without(rating('tax-2025', 'a'), 'scheme'), 'recognition.untranslated'],
    ['of a third party that nobody knows', rating('third-party-aaa', 'aaa'), 'recognition.rater-unknown'],
    [
      'of a third party that was struck off',
      rating('third-party-aaa', 'aaa', { raterStatus: coded('struck-off') }),
      'recognition.rater',
    ],
    [
      'of a third party that is active, which no table is for',
      rating('third-party-aaa', 'aaa', { raterStatus: coded('active') }),
      'recognition.unlisted',
    ],
    ['of an office that is called so', rating('tax-2025', 'a', { origin: coded('administrative') }), 'recognised'],
    ['whose end cannot be read', rating('tax-2025', 'a', { validUntil: { untranslated: '明年' } }), 'recognition.date'],
    ['whose end is no day', rating('tax-2025', 'a', { validUntil: '2026-11' }), 'recognition.date'],
    ['that ended yesterday', rating('tax-2025', 'a', { validUntil: '2026-11-21' }), 'record.ended'],
    ['that ends today', rating('tax-2025', 'a', { validUntil: today }), 'recognised'],
    ['that was made today', rating('tax-2025', 'a', { decided: today }), 'recognised'],
    ['that is made tomorrow', rating('tax-2025', 'a', { decided: '2026-11-23' }), 'recognition.date'],
    [
      'that begins tomorrow',
      without(rating('tax-2025', 'a', { validFrom: '2026-11-23' }), 'decided'),
      'recognition.date',
    ],
    ['made before it begins', rating('tax-2025', 'a', { decided: today, validFrom: '2027-01-01' }), 'recognised'],
    [
      'of a scheme of another prefix',
      rating('tax-2025', 'a', { level: coded('tax-before-2025.a') }),
      'recognition.untranslated',
    ],
    [
      'without a day, of a scheme and a table that have none, in a scheme that has',
      without(rating('environment-yrd', 'green'), 'decided'),
      'recognition.date',
    ],
  ])('%s is said to be so', (_, record, code) => {
    expect(outcomeOf(record)).toBe(code)
  })

  it('is recognised by the table of its scheme alone, and by no table of lists', () => {
    const tax = rating('tax-2025', 'a')
    expect(outcomeOf(tax, under(ratings('labour-2017', 'labour-2017')))).toBe('recognition.unlisted')
    expect(outcomeOf(tax, under(lists({ rows: [row('a')], foreign: 'tax-2025' })))).toBe('recognition.unlisted')
    expect(said(tax, under(ratings('tax-2025', 'labour-2017')))?.as).toEqual([wordOf('labour-2017.a', 'rating-levels')])
  })

  it('is none where our scheme was not in force on its day, or has no such level', () => {
    const tax = rating('tax-2025', 'a')
    expect(outcomeOf(tax, under(ratings('tax-2025', 'tax-before-2025')))).toBe('recognition.date')
    expect(outcomeOf(tax, under(ratings('tax-2025', 'gossip')))).toBe('recognition.date')
    expect(outcomeOf(tax, under(ratings('tax-2025', 'labour-2017', { rows: [row('a', ['z'])] })))).toBe(
      'recognition.date',
    )
    const half = { rows: [{ of: 'a', as: ['a', 'z'], relation: 'broader', outcome: 'recognised' }] }
    expect(outcomeOf(tax, under(ratings('tax-2025', 'labour-2017', half)))).toBe('recognition.date')
  })

  it('without a day and without an end is recognised where nothing has days', () => {
    const undated = new Map(
      [...vocabulary.schemes].map(([code, each]) => [code, { ...each, validFrom: null, validTo: null }]),
    )
    const record = without(rating('environment-yrd', 'green'), 'decided')
    expect(said(record, exchange, { ...vocabulary, schemes: undated })).toMatchObject({ outcome: 'recognised' })
  })

  it('that is information or has an end says nothing of an unknown one', () => {
    expect(said(rating('environment-yrd', 'yellow'))).not.toHaveProperty('endUnknown')
    expect(said(rating('tax-2025', 'a', { validUntil: 'indefinite' }))).not.toHaveProperty('endUnknown')
  })
})

describe('the tables between two cities', () => {
  it('are those from the one to the other, and none from a city to itself', () => {
    const count = (from: string, to: string) => tablesFor({ agreement: shipped, from, to }).length
    expect([count('jiangyin', 'huizhou'), count('huizhou', 'jiangyin')]).toEqual([6, 6])
    expect([count('jiangyin', 'jiangyin'), count('huizhou', 'huizhou')]).toEqual([0, 0])
    expect([count('jiangyin', 'suqian'), count('suqian', 'huizhou')]).toEqual([0, 0])
    const { recognition: _, ...bare } = shipped
    expect(tablesFor({ agreement: bare, from: 'jiangyin', to: 'huizhou' })).toEqual([])
  })
})

describe('what is dated', () => {
  it('holds from its first day to its last; where the day is not known, only what has neither', () => {
    const dated = { validFrom: '2026-05-01', validTo: '2026-05-31' }
    const days = ['2026-04-30', '2026-05-01', '2026-05-31', '2026-06-01', undefined]
    expect(days.map(day => inForce(dated, day))).toEqual([false, true, true, false, false])
    expect(days.map(day => inForce({ validFrom: '2026-05-01' }, day))).toEqual([false, true, true, true, false])
    expect(days.map(day => inForce({ validTo: '2026-05-31' }, day))).toEqual([true, true, true, false, false])
    expect(days.map(day => inForce({ validFrom: null }, day))).toEqual([true, true, true, true, true])
    expect(days.map(day => inForce(undefined, day))).toEqual([false, false, false, false, false])
  })
})

describe('of a value', () => {
  it('the code is that of one word, the text what is not blank, and the day one of a calendar', () => {
    const several: Value = { codes: ['a'], original: 'A' }
    expect([coded('a'), several, { untranslated: 'A' }, 'a', undefined].map(codeOf)).toEqual(['a', ...Array(4)])
    expect(['某局', ' 某局 ', ' ', '', coded('a'), undefined].map(text)).toEqual(['某局', ' 某局 ', ...Array(4)])
    const days = ['2026-05-01', '2026-5-1', '2026-05-01T00', ' 2026-05-01', 'indefinite', coded('a'), undefined]
    expect(days.map(dayIn)).toEqual(['2026-05-01', ...Array(6)])
  })
})

describe('the description of a recognition', () => {
  it('is named, has no other member than the named, and at least one word where there are any', () => {
    expect([Told, Word, Recognition].map(form => form.meta()?.id)).toEqual(['Refusal', 'Word', 'Recognition'])
    for (const form of [Told, Recognition]) expect(form.meta()?.description).toMatch(/\p{sc=Han}/u)
    const good = { outcome: 'recognised', original: {}, as: [{ code: 'a', zh: '甲', en: 'A' }] }
    expect(Recognition.safeParse(good).success).toBe(true)
    const wrong = [{ as: [] }, { ambiguous: false }, { endUnknown: false }, { outcome: 'granted' }, { more: 1 }]
    for (const each of [...wrong, { why: {} }, { original: { score: 1 } }, { as: [{ code: 'a' }] }]) {
      expect(Recognition.safeParse({ ...good, ...each }).success).toBe(false)
    }
  })
})

function wordOf(code: string, set = 'list-types') {
  const { zh = '', en = '' } = vocabulary.sets.get(set)?.get(code) ?? {}
  return { code, zh, en }
}
