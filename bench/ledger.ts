/** What a ledger of many entries costs: an append beside one to a short ledger, and what staff look up while others append. */
import { createPrivateKey } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import postgres from 'postgres'
import { indexPath } from '#ledger/index-file.ts'
import type { Filter, Ledger } from '#ledger/ledger.ts'
import { openLog } from '#ledger/log.ts'
import { createLedgerAt, openLedgerAt, openLogStoreAt } from '#ledger/open.ts'
import { companies, fillLedger, manyEntries, peers, purposes, seeded, skewed } from '../test/ledger/many.ts'
import { fillPostgresLedger } from '../test/ledger/many-postgres.ts'
import { answered } from '../test/ledger/sample.ts'
import { startPostgres } from '../test/source/postgres.ts'

const SHORT = 10_000
/** Groups of so many appends at once, to the short ledger and the long one in turn. */
const AT_ONCE = 32
const ROUNDS = 160
const READS = 250
const PAGE = 50
/** Appends a second while the reads are timed: some 90 million a year. */
const RATE = 3
const DAY = 86_400_000
/** More than there are pages in the long ledger with room for one of the appends that are timed. */
const GAPS = 16_384
/** What docs/scale.md tells who runs the server to set; for a machine of 8 GB. */
const SETTINGS = ['shared_buffers=2GB', 'wal_compression=on', 'max_wal_size=8GB', 'checkpoint_timeout=30min']

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    entries: { type: 'string', default: '1000000' },
    engine: { type: 'string', multiple: true, default: ['sqlite', 'postgres'] },
    /** A SQLite ledger of so many entries that is kept from run to run; made where there is none. */
    file: { type: 'string' },
  },
})
const count = Number(values.entries)
/** Ed25519 (RFC 8410), the same in every run: a file that is kept has checkpoints of the run before. */
const key = createPrivateKey({
  format: 'der',
  type: 'pkcs8',
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 'benchmark')]),
})
const codes = companies()
const end = Date.now()
const random = seeded(1)

for (const engine of values.engine) {
  if (engine !== 'sqlite' && engine !== 'postgres') throw new TypeError(`no engine is called ${engine}`)
  const figures = await (engine === 'sqlite' ? ofSqlite() : ofPostgres())
  if (values.json) console.log(JSON.stringify({ engine, entries: count, ...figures }))
  else
    for (const [name, figure] of Object.entries({ engine, entries: count, ...figures }))
      console.log(`${name.padEnd(14)}${figure}`)
}

async function ofSqlite() {
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-ledger-'))
  try {
    const make = async (path: string, entries: number) => {
      await createLedgerAt(path, 'jiangyin')
      fillLedger(path, entries, manyEntries(entries, codes, end).at, told('made', entries))
      return path
    }
    const short = await make(join(folder, 'short.sqlite'), SHORT)
    const long = values.file ?? join(folder, 'long.sqlite')
    if (!existsSync(long)) await make(long, count)
    const figures = await measure(short, long)
    tell(`the index takes ${(statSync(indexPath(long)).size / count).toFixed(1)} bytes an entry`)
    return figures
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function ofPostgres() {
  const server = await startPostgres(SETTINGS)
  try {
    const make = async (schema: string, entries: number) => {
      const sql = postgres(server.url, { max: 1 })
      await sql.unsafe(`CREATE SCHEMA ${schema}`)
      await sql.end()
      const url = `${server.url}?search_path=${schema}`
      await createLedgerAt(url, 'jiangyin')
      await fillPostgresLedger(url, entries, manyEntries(entries, codes, end).at, told('made', entries))
      // Filled by COPY, one page in a hundred has room for one more entry, and the next ones would go there, each to a page of its
      // own. Where entries come one by one, the next small one fills such a gap at once.
      if (entries > GAPS) await appendSome(url, GAPS)
      return url
    }
    return await measure(await make('short', SHORT), await make('long', count))
  } finally {
    await server.remove()
  }
}

async function measure(short: string, long: string) {
  await using brief = await openLedgerAt(short, 'jiangyin')
  await using ledger = await openLedgerAt(long, 'jiangyin')
  await using store = await openLogStoreAt(long)
  const log = openLog({ store, city: 'jiangyin', id: ledger.id, key, now: Date.now })
  await settle(ledger)
  await log.integrate()
  tell('indexed, and in the tree')
  const append_ratio = await compareAppends(brief, ledger)
  const stop = new AbortController()
  const busy = [every(1000 / RATE, () => append(ledger), stop.signal), every(1000, () => log.integrate(), stop.signal)]
  try {
    const day = () => {
      const from = end - DAY * (1 + Math.floor(random() * 178))
      return { from: new Date(from).toISOString(), until: new Date(from + DAY).toISOString() }
    }
    return {
      append_ratio,
      newest_ms: await reads(() => twoPages(ledger, {})),
      filter_ms: await reads(() => twoPages(ledger, { peer: peers[Math.floor(random() * peers.length)], ...day() })),
      subject_ms: await reads(() => twoPages(ledger, { subject: codes[skewed(random, codes.length)] })),
      proof_ms: await reads(async () => [
        await timed(async () => {
          const size = (await log.newest())?.size ?? 0
          await log.inclusion(Math.floor(random() * size), size)
        }),
      ]),
    }
  } finally {
    stop.abort()
    await Promise.all(busy)
  }
}

/** Until a search for what is not there looks no further than the index. */
async function settle(ledger: Ledger): Promise<void> {
  while ((await ledger.search({ subject: 'nobody' }, { limit: 1 })).next !== undefined) await setTimeout(500)
}

async function append(ledger: Ledger): Promise<void> {
  const { entry, evidence } = answered({
    peer: peers[Math.floor(Math.random() * peers.length)] ?? 'huizhou',
    purpose: purposes[Math.floor(Math.random() * purposes.length)] ?? 'tendering',
    subjects: [codes[skewed(Math.random, codes.length)] ?? codes[0]].filter(code => code !== undefined),
  })
  await ledger.append(entry, evidence)
}

function appendGroup(ledger: Ledger): Promise<unknown> {
  return Promise.all(Array.from({ length: AT_ONCE }, () => append(ledger)))
}

async function appendSome(place: string, count: number): Promise<void> {
  await using ledger = await openLedgerAt(place, 'jiangyin')
  for (let i = 0; i < count; i += AT_ONCE) await appendGroup(ledger)
}

/** How many times as long the middle one of many groups takes: in turn, so that a machine that drifts does so for both. */
async function compareAppends(short: Ledger, long: Ledger): Promise<number> {
  const times = new Map<Ledger, number[]>([
    [short, []],
    [long, []],
  ])
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const ledger of round % 2 === 0 ? [short, long] : [long, short]) {
      const took = await timed(() => appendGroup(ledger))
      times.get(ledger)?.push(took)
    }
  }
  const middle = (ledger: Ledger) => quantile(times.get(ledger) ?? [], 0.5)
  tell(
    `an append takes ${((middle(short) * 1000) / AT_ONCE).toFixed(0)} and ${((middle(long) * 1000) / AT_ONCE).toFixed(0)} µs`,
  )
  return Number((middle(long) / middle(short)).toFixed(2))
}

/** How long a page takes, and the next one. */
async function twoPages(ledger: Ledger, filter: Filter): Promise<number[]> {
  let next: number | undefined
  const first = await timed(async () => {
    ;({ next } = await ledger.search(filter, { limit: PAGE }))
  })
  if (next === undefined) return [first]
  return [first, await timed(() => ledger.search(filter, { before: next, limit: PAGE }))]
}

/** The 95th percentile of many reads, in milliseconds. */
async function reads(read: () => Promise<number[]>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < READS; i += 1) times.push(...(await read()))
  tell(
    `of ${times.length} reads the middle one took ${quantile(times, 0.5).toFixed(1)} ms, the longest ${quantile(times, 1).toFixed(1)}`,
  )
  return Number(quantile(times, 0.95).toFixed(1))
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function quantile(times: readonly number[], part: number): number {
  return [...times].sort((x, y) => x - y)[Math.ceil(times.length * part) - 1] ?? 0
}

async function every(ms: number, work: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await work()
    await setTimeout(ms, undefined, { signal }).catch(() => {})
  }
}

function told(what: string, of: number): (done: number) => void {
  return done => {
    if (done > 0 && done % 1_000_000 === 0) tell(`${what} ${done} of ${of}`)
  }
}

/** What is not a figure goes where it is in nobody's way. */
function tell(text: string): void {
  console.error(text)
}
