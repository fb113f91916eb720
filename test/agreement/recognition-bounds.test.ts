/** Each fault of a table of recognition is told once, at its place, with what to do; and what is right has none. */
import { describe, expect, it } from 'vitest'
import { type RecognitionRow, RecognitionTable, recognitionFaults } from '#agreement/recognition.ts'
import { vocabulary } from '../schema/cities.ts'

const parties = ['jiangyin', 'huizhou', 'suqian']
const row = (of: string, over: Partial<RecognitionRow> = {}): RecognitionRow => ({
  of,
  as: [of],
  relation: 'exact',
  outcome: 'recognised',
  ...over,
})
const none = (of: string): RecognitionRow => row(of, { as: [], relation: 'none', outcome: 'informational' })
const head = { clause: '第九条', from: ['jiangyin'], to: ['huizhou'] }
const lists = (rows: RecognitionRow[], over: object = {}): RecognitionTable => ({
  kind: 'list',
  ...head,
  rows,
  ...over,
})
const ratings = (foreign: string, ours: string, rows: RecognitionRow[], over: object = {}): RecognitionTable => ({
  kind: 'rating',
  ...{ foreign, ours },
  ...head,
  rows,
  ...over,
})
const labour = (over: object = {}) => ratings('labour-2017', 'labour-2017', [row('a'), row('b'), row('c')], over)
/** Our three levels of labour for the four of public credit. */
const credit = (...as: readonly Partial<RecognitionRow>[]) =>
  ratings(
    'public-credit-2025',
    'labour-2017',
    ['a', 'b', 'c', 'd'].map((of, i) => row(of, as[i])),
  )

const faultsOf = (tables: readonly RecognitionTable[], words = vocabulary) =>
  recognitionFaults(tables, parties, words, 'agreement.json').map(({ file, path, problem, remedy }) => {
    expect(file).toBe('agreement.json')
    return `${path.replace('recognition', '')}: ${problem}. ${remedy}`
  })

describe('a table without a fault', () => {
  it.each<[string, RecognitionTable]>([
    ['of lists', lists([row('wage-arrears'), row('tax-a'), none('local-black'), row('honour')])],
    ['of lists that are narrower', lists([row('wage-arrears', { relation: 'narrower' })])],
    [
      'of a list that is one or another, as information',
      lists([broader('honour', ['honour', 'tax-a'], 'informational')]),
    ],
    [
      'of a list that is no list here, as information, whatever its colour',
      lists([information('wage-arrears', ['honour'])]),
    ],
    ['of a local list, as information', lists([information('local-black', ['work-safety'])])],
    ['of a notice list without a basis', lists([row('key-attention')])],
    ['of a severe list as one that is not', lists([row('work-safety', { as: ['local-black'] })])],
    ['of levels', labour()],
    ['of levels of which one is nothing', ratings('labour-2017', 'labour-2017', [row('a'), none('b'), row('c')])],
    ['of two levels as one', credit({}, { as: ['b'] }, { as: ['c'] }, { as: ['c'] })],
    ['of levels that are either of two', credit({}, either('a', 'b'), either('b', 'c'), { as: ['c'] })],
    ['on one day', labour({ validFrom: '2026-05-01', validTo: '2026-05-01' })],
    ['to its own city as well as to another', labour({ to: ['jiangyin', 'huizhou'] })],
    ['from the first day of its scheme', labour({ validTo: '2017-01-01' })],
  ])('%s is told of nothing', (_, table) => {
    expect(RecognitionTable.safeParse(table).error).toBeUndefined()
    expect(faultsOf([table])).toEqual([])
  })
})

function information(of: string, as: string[]): RecognitionRow {
  return row(of, { as, outcome: 'informational' })
}
function broader(of: string, as: string[], outcome: RecognitionRow['outcome'] = 'recognised'): RecognitionRow {
  return { of, as, relation: 'broader', outcome }
}
function either(...as: string[]): Partial<RecognitionRow> {
  return { as, relation: 'broader' }
}

describe('a table', () => {
  const unknownList = 'Use a code of list-types'
  const unclear = 'Make it informational'
  it.each<[string, RecognitionTable, string[]]>([
    [
      'from a city that is no party',
      labour({ from: ['jiangyin', 'ningbo'] }),
      ['[0].from: ningbo is no party. Name parties of the agreement'],
    ],
    ['to one', labour({ to: ['huizhou', 'ningbo'] }), ['[0].to: ningbo is no party. Name parties of the agreement']],
    [
      'from a city to itself',
      labour({ to: ['jiangyin'] }),
      ['[0].to: nobody recognises what is another’s. Name two different cities'],
    ],
    [
      'that ends before it begins',
      labour({ validFrom: '2026-05-02', validTo: '2026-05-01' }),
      ['[0].validTo: ends before it begins. Correct the dates'],
    ],
    [
      'where nothing is something',
      lists([row('honour', { relation: 'none', outcome: 'informational' })]),
      ['[0].rows[0].as: honour has no counterpart and names one. Remove it'],
    ],
    [
      'where nothing is recognised',
      ratings('labour-2017', 'labour-2017', [row('a'), { ...none('b'), outcome: 'recognised' }, row('c')]),
      ['[0].rows[1].outcome: b is recognised as nothing. Make it informational'],
    ],
    [
      'where exact is nothing',
      lists([row('honour', { as: [], outcome: 'informational' })]),
      ['[0].rows[0].as: exact is one, and here are 0. Name one, or use another relation'],
    ],
    [
      'where narrower is two',
      lists([row('honour', { as: ['honour', 'tax-a'], relation: 'narrower' })]),
      ['[0].rows[0].as: narrower is one, and here are 2. Name one, or use another relation'],
    ],
    [
      'where broader is one',
      lists([broader('honour', ['honour'], 'informational')]),
      ['[0].rows[0].as: what is broader than one is that one or another. Name all that it can be'],
    ],
    [
      'where overlapping is nothing',
      lists([{ ...none('honour'), relation: 'overlapping' }]),
      ['[0].rows[0].as: is empty. Name what it overlaps, or use none'],
    ],
    [
      'that names one twice',
      lists([broader('honour', ['honour', 'honour'], 'informational')]),
      ['[0].rows[0].as: names one twice. Name each once'],
    ],
    [
      'of a list that nobody knows',
      lists([row('gossip', { as: ['honour'] })]),
      [`[0].rows[0].of: list gossip is not known. ${unknownList}`],
    ],
    [
      'into one',
      lists([row('honour'), row('tax-a', { as: ['gossip'] })]),
      [`[0].rows[1].as: list gossip is not known. ${unknownList}`],
    ],
    [
      'of a list twice',
      lists([row('honour'), none('honour'), row('tax-a')]),
      ['[0].rows[1].of: honour stands twice. Keep one row'],
    ],
    [
      'that puts an entry on one list or another',
      lists([broader('honour', ['honour', 'tax-a'])]),
      [`[0].rows[0].relation: an entry is on one list, and broader does not say which. ${unclear}`],
    ],
    [
      'that puts an entry on a list that overlaps its own',
      lists([row('honour', { relation: 'overlapping' })]),
      [`[0].rows[0].relation: an entry is on one list, and overlapping does not say which. ${unclear}`],
    ],
    [
      'that recognises a black list without a legal basis',
      lists([row('local-black')]),
      [
        '[0].rows[0].outcome: local-black has no legal basis (国办发〔2020〕49号). ' +
          'Make it informational: only a law, a regulation or central policy sets up such a list',
      ],
    ],
    [
      'that makes of a red list a black one',
      lists([row('honour', { as: ['local-black'] })]),
      ['[0].rows[0].as: honour is red and local-black is black. Use a list of the same colour'],
    ],
    [
      'that makes of a notice list a severe one',
      lists([row('abnormal-operation', { as: ['work-safety'] })]),
      [
        '[0].rows[0].as: abnormal-operation is notice and work-safety is black. Use a list of the same colour',
        '[0].rows[0].as: work-safety is severe and abnormal-operation is not. Make it informational: nothing escalates',
      ],
    ],
    [
      'of a scheme that nobody knows',
      ratings('gossip', 'labour-2017', [row('a')]),
      ['[0].foreign: rating scheme gossip is not known. Use a code of rating-schemes'],
    ],
    [
      'into one',
      ratings('labour-2017', 'gossip', [row('a')]),
      ['[0].ours: rating scheme gossip is not known. Use a code of rating-schemes'],
    ],
    [
      'that ends before its scheme begins',
      labour({ validTo: '2016-12-31' }),
      ['foreign', 'ours'].map(
        side => `[0].${side}: labour-2017 is not in force on any day of the table. Correct the days, or the scheme`,
      ),
    ],
    [
      'that begins after its scheme has ended',
      ratings('customs-2021', 'customs-2026', [row('advanced'), row('dishonest'), none('other')], {
        validFrom: '2026-04-01',
      }),
      ['[0].foreign: customs-2021 is not in force on any day of the table. Correct the days, or the scheme'],
    ],
    [
      'of a level that its scheme does not have',
      ratings('labour-2017', 'labour-2017', [row('a'), row('b'), row('c'), none('d')]),
      ['[0].rows[3].of: labour-2017 has no level d. Correct the level'],
    ],
    [
      'into a level that our scheme does not have',
      credit({}, {}, {}, { as: ['d'] }),
      ['[0].rows[3].as: labour-2017 has no level d. Correct the level'],
    ],
    [
      'into a word that a level ends with',
      ratings('labour-2017', 'customs-2026', [row('a', { as: ['advanced'] }), none('b'), row('c', { as: ['honest'] })]),
      ['[0].rows[2].as: customs-2026 has no level honest. Correct the level'],
    ],
    [
      'of a level that is no rating',
      ratings('tax-2025', 'labour-2017', [row('a'), row('b'), row('c'), none('d'), row('m', { as: ['c'] })]),
      [
        '[0].rows[4].relation: tax-2025.m is no rating. Use the relation none: what is not rated stands between no two levels',
      ],
    ],
    [
      'into a level that is no rating',
      ratings('labour-2017', 'tax-2025', [row('a'), row('b'), row('c', { as: ['m'] })]),
      ['[0].rows[2].as: tax-2025.m is no rating. Use the relation none'],
    ],
    [
      'that makes a level another one of its own scheme',
      ratings('labour-2017', 'labour-2017', [row('a'), row('b'), row('c', { relation: 'narrower' })]),
      ['[0].rows[2]: c is another level of its own scheme. Write exact and c, or none'],
    ],
    [
      'that makes two levels one of their own scheme',
      ratings('labour-2017', 'labour-2017', [row('a'), row('b'), row('c', { as: ['b'] })]),
      ['[0].rows[2]: c is another level of its own scheme. Write exact and c, or none'],
    ],
    [
      'that leaves levels out',
      ratings('labour-2017', 'labour-2017', [row('b')]),
      ['a', 'c'].map(
        level => `[0].rows: the level ${level} is missing. Add it, with the relation none where nothing corresponds`,
      ),
    ],
    [
      'of a level twice',
      ratings('labour-2017', 'labour-2017', [row('a'), row('b'), row('c'), none('b')]),
      ['[0].rows[3].of: b stands twice. Keep one row'],
    ],
    [
      'in which the worse comes out better',
      credit({ as: ['b'] }, { as: ['a'] }, {}, { as: ['c'] }),
      ['[0].rows[1].as: b is below a and comes out above it. Correct one of the rows'],
    ],
    [
      'in which the worse may come out better',
      credit({ as: ['b'] }, either('a', 'b'), {}, { as: ['c'] }),
      ['[0].rows[1].as: b is below a and comes out above it. Correct one of the rows'],
    ],
    [
      'in which the better may come out worse',
      credit(either('a', 'b'), { as: ['a'] }, {}, { as: ['c'] }),
      ['[0].rows[1].as: b is below a and comes out above it. Correct one of the rows'],
    ],
    [
      'in which the worse comes out better over one that is nothing',
      ratings('labour-2017', 'public-credit-2025', [row('a', { as: ['b'] }), none('b'), row('c', { as: ['a'] })]),
      ['[0].rows[2].as: c is below a and comes out above it. Correct one of the rows'],
    ],
  ])('%s is refused, and nothing else is told of it', (_, table, faults) => {
    expect(faultsOf([table])).toEqual(faults)
  })

  it('is judged by the order of its levels, in whatever order its rows stand', () => {
    const { rows } = credit({}, {}, {}, { as: ['c'] })
    const of = (changed: RecognitionRow[]) => faultsOf([ratings('public-credit-2025', 'labour-2017', changed)])
    expect(of(rows.toReversed())).toEqual([])
    expect(of([row('d', { as: ['c'] }), row('c', { as: ['a'] }), row('b'), row('a')])).toEqual([
      '[0].rows[1].as: c is below b and comes out above it. Correct one of the rows',
    ])
  })
})

describe('two tables', () => {
  const again = 'Keep one of them'
  const twice = (levels: string[], k = 0, i = 1) =>
    levels.map(
      (of, j) => `[${i}].rows[${j}].of: ${of} also stands in recognition[${k}] for some of the same days. ${again}`,
    )

  it('of one scheme between the same cities, on one of the same days, are refused at the later of them', () => {
    expect(faultsOf([labour(), labour()])).toEqual(twice(['a', 'b', 'c']))
    expect(faultsOf([labour({ validTo: '2026-05-01' }), labour({ validFrom: '2026-05-01' })])).toEqual(
      twice(['a', 'b', 'c']),
    )
    expect(faultsOf([labour({ validFrom: '2026-05-01' }), labour({ validTo: '2026-05-01' })])).toEqual(
      twice(['a', 'b', 'c']),
    )
    const third = [labour(), lists([row('honour')]), labour({ to: ['huizhou', 'suqian'] })]
    expect(faultsOf(third)).toEqual(twice(['a', 'b', 'c'], 0, 2))
  })

  it.each<[string, RecognitionTable, RecognitionTable]>([
    ['on other days', labour({ validTo: '2026-04-30' }), labour({ validFrom: '2026-05-01' })],
    ['on other days, the later first', labour({ validFrom: '2026-05-01' }), labour({ validTo: '2026-04-30' })],
    ['in the other direction', labour(), labour({ from: ['huizhou'], to: ['jiangyin'] })],
    ['to another city', labour(), labour({ to: ['suqian'] })],
    ['from another city', labour(), labour({ from: ['suqian'] })],
    [
      'to its own city as well, and back',
      labour({ to: ['huizhou', 'jiangyin'] }),
      labour({ from: ['huizhou'], to: ['jiangyin'] }),
    ],
    ['of another scheme', labour(), credit({}, {}, {}, { as: ['c'] })],
    ['of another kind', labour(), lists([row('honour')])],
    ['of other lists', lists([row('honour')]), lists([row('tax-a')])],
  ])('%s stand side by side', (_, one, other) => {
    expect(faultsOf([one, other])).toEqual([])
    expect(faultsOf([other, one])).toEqual([])
  })

  it('of lists are refused for the lists that stand in both, and each table has its own faults', () => {
    const [one, other] = [lists([row('honour'), row('tax-a')]), lists([row('tax-a'), row('work-safety')])]
    expect(faultsOf([one, other])).toEqual(twice(['tax-a']))
    // A level of that name is another thing.
    expect(faultsOf([labour(), lists([row('a', { as: ['honour'] })])])).toEqual([
      '[1].rows[0].of: list a is not known. Use a code of list-types',
    ])
    expect(faultsOf([one, lists([row('gossip', { as: ['honour'] })])])).toEqual([
      '[1].rows[0].of: list gossip is not known. Use a code of list-types',
    ])
  })
})

describe('the form of a table', () => {
  const good = labour()
  const refused = (over: object) => RecognitionTable.safeParse({ ...good, ...over }).success

  it('has a clause, cities on both sides and rows, and no more than sixteen words in one', () => {
    expect(refused({})).toBe(true)
    for (const over of [{ clause: '' }, { from: [] }, { to: [] }, { rows: [] }, { kind: 'score' }, { more: 1 }]) {
      expect(refused(over)).toBe(false)
    }
    const many = Array.from({ length: 17 }, (_, i) => `w${i}`)
    expect(refused({ rows: [row('a', { as: many.slice(1) })] })).toBe(true)
    expect(refused({ rows: [row('a', { as: many })] })).toBe(false)
    for (const over of [{ outcome: 'refused' }, { relation: 'same' }, { more: 1 }]) {
      expect(refused({ rows: [{ ...row('a'), ...over }] })).toBe(false)
    }
  })
})
