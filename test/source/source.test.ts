import { describe, expect, test } from 'vitest'
import { refuse } from '#protocol/refusal.ts'
import { type Found, gather, lookUp, type Source, type Table } from '#source/source.ts'

const DAY = 86_400_000
const START = Date.parse('2026-11-22T00:00:00Z')

function table(name: string, family: string, more: Partial<Table> = {}): Table {
  return {
    name,
    family,
    table: name,
    columns: ['code'],
    key: { columns: ['code'], forms: ['code'], prefixes: [] },
    where: [],
    freshness: { column: 'supplied', maxAgeSeconds: 14 * 86_400, instant: text => text },
    ...more,
  }
}

/** A source written for these tests: what it gives is set from outside, and every look is counted. */
function source(tables: readonly Table[]) {
  const state = {
    newest: new Map<string, string | null | Error>(),
    rows: new Map<string, readonly Found[] | Error>(),
    looks: 0,
  }
  const all: Source = {
    name: 'test',
    tables,
    async read({ name }) {
      const rows = state.rows.get(name) ?? []
      if (rows instanceof Error) throw rows
      return rows
    },
    async *keys() {},
    async *texts() {},
    async newest({ name }) {
      state.looks += 1
      const newest = state.newest.get(name) ?? null
      if (newest instanceof Error) throw newest
      return newest
    },
    async check() {},
    async close() {},
  }
  return { all, state }
}

describe('how fresh a family is', () => {
  test('follows its newest supply: fresh, then stale', async () => {
    const { all, state } = source([table('a', 'licence')])
    let now = START
    const sources = gather([all], { now: () => now, lifetimeMs: 1000 })
    state.newest.set('a', '2026-11-20T16:00:00.000Z')
    expect(await sources.freshness('licence')).toEqual({
      family: 'licence',
      asOf: '2026-11-20T16:00:00.000Z',
      status: 'fresh',
    })
    now += 20 * DAY
    expect(await sources.freshness('licence')).toMatchObject({ status: 'stale' })
    state.newest.set('a', '2026-12-11T16:00:00.000Z')
    now += 1000
    expect(await sources.freshness('licence')).toMatchObject({ status: 'fresh' })
  })

  test('is looked at once in its lifetime, however many ask', async () => {
    const { all, state } = source([table('a', 'licence')])
    let now = START
    const sources = gather([all], { now: () => now, lifetimeMs: 60_000 })
    state.newest.set('a', '2026-11-20T16:00:00.000Z')
    await Promise.all(Array.from({ length: 50 }, () => sources.freshness('licence')))
    now += 59_999
    await sources.freshness('licence')
    expect(state.looks).toBe(1)
    now += 1
    await sources.freshness('licence')
    expect(state.looks).toBe(2)
  })

  test('is that of its least fresh table', async () => {
    const { all, state } = source([table('a', 'penalty'), table('b', 'penalty')])
    const sources = gather([all], { now: () => START })
    state.newest.set('a', '2026-11-21T00:00:00.000Z')
    state.newest.set('b', '2026-10-01T00:00:00.000Z')
    expect(await sources.freshness('penalty')).toEqual({
      family: 'penalty',
      asOf: '2026-10-01T00:00:00.000Z',
      status: 'stale',
    })
  })

  test.each<[string, string | null | Error]>([
    ['empty', null],
    ['dated far ahead', '2099-12-31T00:00:00.000Z'],
    ['dated in no known form', 'soon'],
    ['not readable', refuse('source.slow')],
  ])('is unknown where the table is %s', async (_, newest) => {
    const { all, state } = source([table('a', 'licence'), table('b', 'licence')])
    state.newest.set('a', newest)
    state.newest.set('b', '2026-11-21T00:00:00.000Z')
    expect(await gather([all], { now: () => START }).freshness('licence')).toEqual({
      family: 'licence',
      status: 'unknown',
    })
  })

  test('is unknown where the table has no supply column', async () => {
    const { freshness: _, ...undated } = table('a', 'licence')
    expect(await gather([source([undated]).all]).freshness('licence')).toEqual({ family: 'licence', status: 'unknown' })
  })

  test('that could not be read is looked at again soon, but not at once', async () => {
    const { all, state } = source([table('a', 'licence')])
    let now = START
    const sources = gather([all], { now: () => now })
    state.newest.set('a', refuse('source.slow'))
    await sources.freshness('licence')
    state.newest.set('a', '2026-11-21T00:00:00.000Z')
    now += 4_999
    expect(await sources.freshness('licence')).toMatchObject({ status: 'unknown' })
    now += 1
    expect(await sources.freshness('licence')).toMatchObject({ status: 'fresh' })
  })
})

describe('a look-up', () => {
  const row = (name: string, subject: string): Found => ({ table: name, subject, row: { code: subject } })

  test('gives one result for each family, in the order asked, from all its tables', async () => {
    const { all, state } = source([table('a', 'penalty'), table('b', 'penalty'), table('c', 'list')])
    state.rows.set('a', [row('a', 'x')])
    state.rows.set('b', [row('b', 'x'), row('b', 'y')])
    const found = await lookUp({ subjects: ['x', 'y'], families: ['list', 'penalty'] }, gather([all]))
    expect(found.map(({ family, rows, unknown }) => [family, rows.length, unknown])).toEqual([
      ['list', 0, undefined],
      ['penalty', 3, undefined],
    ])
  })

  test('of which one table fails says so, gives the others, and asks for no age', async () => {
    const { all, state } = source([table('a', 'penalty'), table('b', 'penalty')])
    state.rows.set('a', [row('a', 'x')])
    state.rows.set('b', refuse('source.slow'))
    const [penalty] = await lookUp({ subjects: ['x'], families: ['penalty'] }, gather([all]))
    expect(penalty).toMatchObject({ unknown: 'source.slow', rows: [{ table: 'a' }], freshness: { status: 'unknown' } })
    expect(state.looks).toBe(0)
  })

  test('of a family that is kept nowhere is unknown, never empty', async () => {
    const [nothing] = await lookUp({ subjects: ['x'], families: ['rating'] }, gather([source([]).all]))
    expect(nothing).toMatchObject({ family: 'rating', rows: [], unknown: 'source.unreachable' })
  })

  test('throws for a mistake of ours, which is no source that is down', async () => {
    const { all, state } = source([table('a', 'penalty')])
    state.rows.set('a', new TypeError('ours'))
    await expect(lookUp({ subjects: ['x'], families: ['penalty'] }, gather([all]))).rejects.toMatchObject({
      code: 'fault',
    })
  })
})
