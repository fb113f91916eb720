import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import { matches } from '#ledger/filter.ts'
import { type Index, openIndex } from '#ledger/index.ts'
import { indexPath } from '#ledger/index-file.ts'
import type { Filter } from '#ledger/ledger.ts'
import { SIZE } from '#ledger/segment.ts'
import { createLedger, openLedger } from '#ledger/sqlite.ts'
import { readLedgerIdentity } from '#ledger/tables.ts'
import { companies, departments, fillLedger, manyEntries, peers, purposes } from './many.ts'
import { answered, company, directory, newLedger, raw, tamper, uuid7 } from './sample.ts'

const codes = companies(3_000)
/** Two segments and the beginning of a third; and one, for what is made anew again and again. */
const COUNT = 2 * SIZE + 3_000
const FEWER = SIZE + 500
const { at, instant } = manyEntries(COUNT, codes, Date.parse('2026-07-01T00:00:00.000Z'))
const POLLING = { timeout: 60_000, interval: 100 }

function identityOf(path: string) {
  using db = raw(path)
  return readLedgerIdentity(db)
}

function open(path: string): Index {
  const index = openIndex(path, identityOf(path))
  onTestFinished(() => index.close())
  return index
}

/** Starts the thread, by a search for nothing. */
const start = (index: Index) => index.search({ kinds: [] }, { limit: 1 })

/** Everything that fits, page by page; and how many pages that took. */
async function searched(index: Pick<Index, 'search'>, filter: Filter, limit = 1000, most = Number.POSITIVE_INFINITY) {
  const indexes: number[] = []
  let before: number | undefined
  let pages = 0
  do {
    const page = await index.search(filter, { before, limit })
    expect(page.indexes.length).toBeLessThanOrEqual(limit)
    indexes.push(...page.indexes)
    before = page.next
    pages += 1
  } while (before !== undefined && pages < most)
  return { indexes, pages, whole: before === undefined }
}

/** The segments in an index's file, by number; each with how many blocks it has. */
function segmentsOf(path: string): Map<number, number> {
  try {
    using db = new DatabaseSync(indexPath(path), { readOnly: true })
    const rows = db
      .prepare('SELECT n, (SELECT count(*) FROM block WHERE id / 4096 = n) AS blocks FROM segment ORDER BY n')
      .all()
    return new Map(rows.map(({ n, blocks }) => [Number(n), Number(blocks)]))
  } catch {
    return new Map()
  }
}

const indexed = (path: string, segments = 1) =>
  vi.waitFor(() => expect([...segmentsOf(path).keys()]).toEqual(Array.from({ length: segments }, (_, n) => n)), POLLING)

/** A ledger with its index, of so many of the entries; one that holds the first of them already goes on from there. */
async function filled(path: string, entries: readonly Entry[], { from = 0, until = COUNT } = {}): Promise<void> {
  fillLedger(path, until - from, i => entries[from + i] ?? at(from + i))
  const index = openIndex(path, identityOf(path))
  await start(index)
  await indexed(path, Math.floor(until / SIZE))
  await index.close()
}

describe('a search over a long ledger', { timeout: 120_000 }, () => {
  let folder: string
  let path: string
  let shorter: string
  let entries: readonly Entry[]

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ledger-'))
    path = join(folder, `${COUNT}.sqlite`)
    shorter = join(folder, `${FEWER}.sqlite`)
    entries = Array.from({ length: COUNT }, (_, i) => at(i))
    createLedger(shorter, 'jiangyin')
    await filled(shorter, entries, { until: FEWER })
    cpSync(shorter, path)
    cpSync(indexPath(shorter), indexPath(path))
    await filled(path, entries, { from: FEWER })
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** By looking at each, the newest first. */
  const scanned = (filter: Filter, count = COUNT) => {
    const found: number[] = []
    for (let i = count - 1; i >= 0; i -= 1) {
      const entry = entries[i]
      if (entry !== undefined && matches(entry, filter)) found.push(i)
    }
    return found
  }

  /** A place of its own for an index to be spoilt, or for none; and for the ledger itself where that is changed. */
  const copied = ({ withIndex = true, ledger = false } = {}) => {
    const copy = join(directory(), 'ledger.sqlite')
    if (ledger) cpSync(shorter, copy)
    else symlinkSync(shorter, copy)
    if (withIndex) cpSync(indexPath(shorter), indexPath(copy))
    return copy
  }

  test('finds for any filter what looking at each entry finds, page by page', async () => {
    const index = open(path)
    const time = fc.integer({ min: -1000, max: COUNT + 1000 }).map(i => new Date(instant(i)).toISOString())
    const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })
    const filter: fc.Arbitrary<Filter> = fc.record({
      from: maybe(time),
      until: maybe(time),
      kinds: maybe(fc.subarray(['answered', 'refused', 'asked', 'outcome', 'declined', 'staff', 'reported'] as const)),
      peer: maybe(fc.constantFrom(...peers, 'nowhere')),
      purpose: maybe(fc.constantFrom(...purposes)),
      department: maybe(fc.constantFrom(...departments)),
      outcome: maybe(fc.constantFrom('answered', 'refused', 'unknown', 'subject.person', 'peer.slow')),
      subject: maybe(fc.constantFrom(...codes.slice(0, 50), ...codes.slice(-50), company(1), 'refused')),
      matter: fc.option(fc.constantFrom('〔2026〕1', '999号', '\\', '"', '\ud83d', 'none'), {
        nil: undefined,
        freq: 6,
      }),
    })
    await fc.assert(
      fc.asyncProperty(filter, fc.integer({ min: 1, max: 300 }), async (asked, limit) => {
        const { indexes, whole } = await searched(index, asked, limit, 30)
        const all = scanned(asked)
        expect(indexes).toEqual(whole ? all : all.slice(0, indexes.length))
      }),
      { numRuns: 60 },
    )
  })

  test('of one company needs one page, and says when nothing older is left', async () => {
    const index = open(path)
    const subject = codes.at(-1)
    const all = scanned({ subject })
    expect(all.length).toBeGreaterThan(2)
    expect(await index.search({ subject }, { limit: all.length })).toEqual({ indexes: all, next: undefined })
    expect(await index.search({ subject }, { limit: 2 })).toEqual({ indexes: all.slice(0, 2), next: all[1] })
    expect(await index.search({ subject: company(7) }, { limit: 2 })).toEqual({ indexes: [], next: undefined })
  })

  test('for a part of a matter looks only where it may be', async () => {
    const index = open(path)
    const filter = { matter: '〔2026〕117' }
    const { indexes, pages } = await searched(index, filter)
    expect(indexes).toEqual(scanned(filter))
    expect(pages).toBeLessThan(20)
  })

  test('for what may be anywhere looks at so many entries and no more, and goes on from there', async () => {
    const index = open(path)
    const filter = { matter: '甲' }
    expect(await index.search(filter, { limit: 10 })).toEqual({ indexes: [], next: expect.any(Number) })
    const { indexes, pages } = await searched(index, filter)
    expect(indexes).toEqual([])
    expect(pages).toBeGreaterThan(10)
  })

  test('keeps its index in few bytes, for the owner alone', () => {
    const { size, mode } = statSync(indexPath(path))
    expect(mode & 0o777).toBe(0o600)
    expect(size / COUNT).toBeLessThan(24)
  })

  const probes: Filter[] = [
    { subject: codes[2_000] },
    { peer: 'wuxi', outcome: 'load.rate' },
    { kinds: ['staff'], subject: codes[1] },
  ]
  const expectRight = async (index: Index, filters = probes) => {
    for (const filter of filters) expect((await searched(index, filter)).indexes).toEqual(scanned(filter, FEWER))
  }

  test.each<[string, (file: string) => void]>([
    ['missing', file => rmSync(file)],
    ['empty', file => truncateSync(file)],
    ['cut short', file => truncateSync(file, Math.floor(statSync(file).size / 2))],
    ['no index at all', file => writeFileSync(file, 'a letter to the operator '.repeat(1000))],
    ['without a table', file => alter(file, 'DROP TABLE block')],
    ['without blocks', file => alter(file, 'DELETE FROM block WHERE id % 3 = 0')],
    ['with a changed block', file => alter(file, `UPDATE block SET bytes = CAST(bytes || x'00' AS BLOB)`)],
    [
      'with blocks in the place of others',
      file => alter(file, 'UPDATE block SET bytes = (SELECT bytes FROM block b WHERE b.id = 1)'),
    ],
    ['of another ledger', file => alter(file, `UPDATE about SET ledger = '{}'`)],
    [
      'of a later format',
      file => alter(file, `UPDATE about SET ledger = replace(ledger, '"format":"1', '"format":"2')`),
    ],
  ])('is right though the index is %s, and makes it anew', async (_, spoil) => {
    const copy = copied()
    spoil(indexPath(copy))
    const index = open(copy)
    await expectRight(index, probes.slice(0, 1))
    await indexed(copy)
    await expectRight(index)
    expect(statSync(indexPath(copy)).mode & 0o777).toBe(0o600)
  })

  test('is right where the index went on with entries that a backup does not have', async () => {
    const copy = copied({ ledger: true })
    const short = SIZE - 5_000
    tamper(copy, db => db.exec(`DELETE FROM entry WHERE ix >= ${short}`))
    const other = manyEntries(FEWER - short, companies(50))
    const index = open(copy)
    expect((await searched(index, { subject: codes[2_000] })).indexes).toEqual(
      scanned({ subject: codes[2_000] }, short),
    )
    await index.close()
    fillLedger(copy, FEWER - short, i => ({ ...other.at(i), ...('jti' in other.at(i) ? { jti: uuid7() } : {}) }))
    const again = open(copy)
    const filter: Filter = { kinds: ['declined'], peer: 'wuxi' }
    const wanted = Array.from({ length: FEWER }, (_, i) => (i < short ? at(i) : other.at(i - short)))
      .flatMap((entry, i) => (matches(entry, filter) ? [i] : []))
      .reverse()
    expect((await searched(again, filter)).indexes).toEqual(wanted)
    await indexed(copy)
    expect((await searched(again, filter)).indexes).toEqual(wanted)
  })

  test('goes on without an index where none can be kept', async () => {
    const copy = copied({ withIndex: false })
    mkdirSync(indexPath(copy))
    const index = open(copy)
    const filter: Filter = { kinds: ['declined'], peer: 'wuxi' }
    expect((await searched(index, filter, 1000, 3)).indexes).toEqual(
      expect.arrayContaining(scanned(filter, FEWER).slice(0, 10)),
    )
    expect((await index.search({ subject: company(1) }, { limit: 1 })).next).toBeTypeOf('number')
  })

  test('is right though an entry was changed into something that is none', async () => {
    const copy = copied({ withIndex: false, ledger: true })
    const victim = FEWER - 5
    for (const body of ['no entry', '{"kind":1,"at":2,"subjects":3,"matter":4}']) {
      // The columns that are computed of the text refuse what is no JSON; one who knows SQLite can write it nevertheless.
      tamper(copy, db => {
        db.exec('PRAGMA ignore_check_constraints = ON')
        if (body.startsWith('{')) db.prepare('UPDATE entry SET body = ? WHERE ix = ?').run(body, victim)
      })
      const index = open(copy)
      const filter: Filter = { kinds: ['declined'] }
      expect((await index.search(filter, { limit: 5 })).indexes).toEqual(
        scanned(filter, FEWER)
          .filter(i => i !== victim || !body.startsWith('{'))
          .slice(0, 5),
      )
      await index.close()
    }
  })

  test('is right though entries were taken out of the ledger', async () => {
    const copy = copied({ withIndex: false, ledger: true })
    const isGone = (i: number) => i === SIZE - 1 || (i >= 100 && i < 200) || i === SIZE + 7
    tamper(copy, db => db.exec(`DELETE FROM entry WHERE ix IN (${SIZE - 1}, ${SIZE + 7}) OR ix BETWEEN 100 AND 199`))
    const index = open(copy)
    const filter: Filter = { kinds: ['declined', 'staff'], subject: codes[0] }
    const wanted = scanned(filter, FEWER).filter(i => !isGone(i))
    expect((await searched(index, filter)).indexes).toEqual(wanted)
    await indexed(copy)
    expect((await searched(index, filter)).indexes).toEqual(wanted)
    expect((await searched(index, { peer: 'wuxi' })).indexes).toEqual(
      scanned({ peer: 'wuxi' }, FEWER).filter(i => !isGone(i)),
    )
  })

  test('of two processes at once uses one index, of which each segment is made once', async () => {
    const copy = copied({ withIndex: false })
    const index = open(copy)
    await start(index)
    const [{ stdout }] = await Promise.all([
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', searcher(copy, probes)]),
      expectRight(index),
    ])
    expect(JSON.parse(stdout)).toEqual(probes.map(filter => scanned(filter, FEWER)))
    await indexed(copy)
    await expectRight(index)
  })

  test('finds segments whole or not at all after a process was killed', async () => {
    const copy = copied({ withIndex: false })
    for (let round = 0; round < 3; round += 1) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', searcher(copy, [])], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
      expect(child.exitCode).toBeNull()
      child.kill('SIGKILL')
      await once(child, 'exit')
      for (const blocks of segmentsOf(copy).values()) expect(blocks).toBeGreaterThan(1026)
    }
    const index = open(copy)
    await expectRight(index)
    await indexed(copy)
    await expectRight(index)
  })
})

/** A program that searches until all is indexed and prints what it found; of no filters, it prints that it has begun. */
function searcher(path: string, filters: readonly Filter[]): string {
  return `
    import { openIndex } from '#ledger/index.ts'
    const index = openIndex(${JSON.stringify(path)}, ${JSON.stringify(identityOf(path))})
    const all = []
    for (const filter of ${JSON.stringify(filters)}) {
      const found = []
      let before
      do {
        const page = await index.search(filter, { before, limit: 1000 })
        found.push(...page.indexes)
        before = page.next
      } while (before !== undefined)
      all.push(found)
    }
    if (all.length === 0) await index.search({ peer: 'wuxi' }, { limit: 1 })
    console.log(JSON.stringify(all))
    if (all.length === 0) setInterval(() => {}, 1000)
    else await index.close()`
}

function alter(file: string, sql: string): void {
  using db = new DatabaseSync(file)
  db.exec(sql)
}

describe('a search over a ledger that is in use', () => {
  test('sees every entry whose append was resolved', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    for (let i = 0; i < 50; i += 1) {
      const { entry, evidence } = answered({ subjects: [company(i % 3)], peer: i % 2 === 0 ? 'wuxi' : 'suqian' })
      const { index } = await ledger.append(entry, evidence)
      const { entries } = await ledger.search({ subject: company(i % 3), peer: entry.peer }, { limit: 1 })
      expect(entries[0]?.receipt.index).toBe(index)
      expect(entries[0]).toEqual(await ledger.entry(index))
    }
  })

  test('has pages that neither repeat nor leave out an entry while others are appended', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    const append = () => {
      const { entry, evidence } = answered({ purpose: Math.random() < 0.5 ? 'funding' : 'licensing' })
      return ledger.append(entry, evidence)
    }
    await Promise.all(Array.from({ length: 300 }, append))
    for (const filter of [{}, { purpose: 'funding' }]) {
      const count = await ledger.count()
      const seen: number[] = []
      let before: number | undefined
      do {
        const [page] = await Promise.all([ledger.search(filter, { before, limit: 7 }), append(), append()])
        seen.push(...page.entries.map(({ receipt }) => receipt.index))
        before = page.next
      } while (before !== undefined)
      const all = (await ledger.entries({ from: 0, limit: count + 2 }))
        .filter(({ entry, receipt }) => matches(entry, filter) && receipt.index <= (seen[0] ?? 0))
        .map(({ receipt }) => receipt.index)
      expect(seen).toEqual(all.reverse())
      expect(seen[0]).toBeGreaterThanOrEqual(count - 20)
    }
  })

  test('finds entries of any instant, whichever way the clock was set', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    const times = [5, 1, 9, 3, 3, 8, 0, 7, 2, 6].map(hour => `2026-03-01T0${hour}:00:00.000Z`)
    await Promise.all(times.map(at => ledger.append(answered({ at }).entry)))
    const found = await ledger.search(
      { peer: 'huizhou', from: '2026-03-01T03:00:00.000Z', until: '2026-03-01T07:00:00.000Z' },
      { limit: 20 },
    )
    expect(found.entries.map(({ receipt }) => receipt.index)).toEqual([9, 4, 3, 0])
  })

  test('names who of the staff looked at an enterprise', async () => {
    await using ledger = openLedger(newLedger(), 'jiangyin')
    const look = {
      kind: 'staff',
      at: '2026-03-01T03:00:00.000Z',
      city: 'jiangyin',
      staff: 'wang',
      role: 'auditor',
      action: 'viewed',
      page: 'enterprise',
      subjects: [company(4)],
      entries: [],
    } as const
    await ledger.append(answered().entry)
    await ledger.append(look)
    const { entries, next } = await ledger.search({ subject: company(4) }, { limit: 20 })
    expect(entries.map(({ entry }) => entry)).toEqual([look])
    expect(next).toBeUndefined()
  })

  test('starts no thread and makes no file for a page of all entries', async () => {
    const path = newLedger()
    await using ledger = openLedger(path, 'jiangyin')
    for (let i = 0; i < 5; i += 1) await ledger.append(answered().entry)
    const first = await ledger.search({}, { limit: 3 })
    expect(first.entries.map(({ receipt }) => receipt.index)).toEqual([4, 3, 2])
    const second = await ledger.search({}, { before: first.next, limit: 3 })
    expect(second.entries.map(({ receipt }) => receipt.index)).toEqual([1, 0])
    expect(second.next).toBeUndefined()
    expect(() => statSync(indexPath(path))).toThrow('ENOENT')
  })

  test('is refused when the ledger is closed, and closing waits for what was asked', async () => {
    const path = newLedger()
    const ledger = openLedger(path, 'jiangyin')
    await ledger.append(answered().entry)
    const asked = ledger.search({ peer: 'huizhou' }, { limit: 1 })
    await ledger.close()
    await expect(asked.catch(fault => fault.code)).resolves.toBeTruthy()
    await expect(ledger.search({ peer: 'huizhou' }, { limit: 1 })).rejects.toMatchObject({ code: 'ledger.unavailable' })
  })

  test('says so when the ledger cannot be read', async () => {
    const path = newLedger()
    const identity = identityOf(path)
    rmSync(dirname(path), { recursive: true })
    const index = openIndex(path, identity)
    await expect(index.search({ peer: 'wuxi' }, { limit: 1 })).rejects.toMatchObject({ code: 'ledger.unavailable' })
    await index.close()
  })
})
