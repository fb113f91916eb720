/** Ledgers of any length, of the shape that a city's has after half a year, made in minutes: for searches and benchmarks. */
import type { Entry } from '#ledger/entry.ts'
import { entryText, leafHash, nextLink, originLink } from '#ledger/entry.ts'
import { bytes, integer, readLedgerIdentity } from '#ledger/tables.ts'
import { completeUscc, readSubject } from '#protocol/subject.ts'
import { raw } from './sample.ts'

export const peers = ['huizhou', 'ningbo', 'suqian', 'taizhou', 'wuxi', 'yancheng']
export const purposes = ['tendering', 'licensing', 'supervision', 'funding', 'procurement']
export const departments = ['bidding-centre', 'market-regulator', 'housing-bureau', 'finance-bureau']
const refusals = ['agreement.purpose', 'subject.person', 'load.rate', 'agreement.expired'] as const
const DAYS = 180
const COMPANIES = 200_000
const hash = (letter: string) => letter.repeat(43)

/** The same numbers for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** So many companies; some are asked about often and most seldom, each a number from 0. */
export function skewed(random: () => number, companies: number): number {
  return Math.floor(companies * random() ** 3)
}

/** Codes of companies by their number. */
export function companies(count = COMPANIES) {
  return Array.from(
    { length: count },
    (_, i) => readSubject(completeUscc(`91320281${String(i).padStart(8, '0')}`)).uscc,
  )
}

/**
 * Entries in the order of time that end now, each valid, none twice: `at(i)` is the i-th of so many. A question in seven was
 * ours, one in fifteen was refused, one in thirty was about many subjects.
 */
export function manyEntries(count: number, codes = companies(), end = Date.now()) {
  const pick = <T>(random: () => number, of: readonly [T, ...T[]] | readonly T[]): T => {
    const one = of[Math.floor(random() * of.length)]
    if (one === undefined) throw new RangeError('nothing to choose from')
    return one
  }
  const instant = (i: number) => Math.floor(end - (DAYS * 86_400_000 * (count - i)) / count)

  function at(i: number): Entry {
    const random = seeded(i)
    const time = instant(i)
    const subjects = Array.from({ length: random() < 1 / 30 ? 2 + Math.floor(random() * 20) : 1 }, () =>
      pick(
        random,
        [codes[skewed(random, codes.length)] ?? codes[0]].filter(code => code !== undefined),
      ),
    )
    const hex = time.toString(16).padStart(12, '0')
    const common = {
      at: new Date(time).toISOString(),
      city: 'jiangyin',
      peer: pick(random, peers),
      jti: `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${i.toString(16).padStart(12, '0')}`,
      purpose: pick(random, purposes),
      matter: `惠市招〔2026〕${Math.floor(i / 7)}号`,
      agreement: { id: 'jiangyin-huizhou-2026', digest: hash('a') },
      subjects,
      questionHash: hash('q'),
    }
    const kind = random()
    if (kind < 0.06) return { ...common, kind: 'refused', code: pick(random, refusals) }
    const own = { ...common, department: pick(random, departments) }
    if (kind < 0.13) return { ...own, kind: 'asked', want: [{ family: 'licence' }] }
    if (kind < 0.18) return { ...own, kind: 'outcome', outcome: 'answered', answerDigest: hash('b') }
    if (kind < 0.2) return { ...own, kind: 'outcome', outcome: 'unknown', code: 'peer.slow' }
    if (kind < 0.21) {
      const { jti: _, questionHash: __, agreement: ___, ...wish } = own
      return { ...wish, kind: 'declined', code: 'agreement.purpose' }
    }
    if (kind < 0.23) {
      return {
        kind: 'staff',
        at: common.at,
        city: common.city,
        staff: 'wang.fang',
        role: 'auditor',
        action: 'viewed',
        page: 'enterprise',
        subjects: subjects.slice(0, 1),
        entries: [i - 1],
      }
    }
    return {
      ...common,
      kind: 'answered',
      status: subjects.map(() => 'answered' as const),
      disclosed: {
        licence: {
          fields: ['authority', 'name', 'number', 'validFrom', 'validTo'],
          ids: subjects.map((_, j) => [`XK-${i}-${j}`, `XK-${i}-${j}.2`]),
          records: subjects.map(() => 2),
        },
      },
      withheldDigest: hash('w'),
      answerDigest: hash('c'),
    }
  }
  return { at, instant }
}

/**
 * Appends these entries to a ledger's file, with right links and without evidence, past its queue and its triggers: what
 * stands there then is what appending them one by one would have left.
 */
export function fillLedger(
  path: string,
  count: number,
  at: (i: number) => Entry,
  progress?: (done: number) => void,
): void {
  using db = raw(path)
  const triggers = db.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all()
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -200000')
  const last = db.prepare('SELECT ix, link FROM entry ORDER BY ix DESC LIMIT 1').get()
  let link = last === undefined ? originLink(readLedgerIdentity(db)) : bytes(last['link'])
  const start = last === undefined ? 0 : integer(last['ix']) + 1
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`)
  const insert = db.prepare('INSERT INTO entry (ix, body, previous, link) VALUES (?, ?, ?, ?)')
  for (let from = start; from < start + count; from += 50_000) {
    db.exec('BEGIN')
    for (let i = from; i < Math.min(start + count, from + 50_000); i += 1) {
      const body = entryText(at(i - start))
      const next = nextLink(link, leafHash(body))
      insert.run(i, body, link, next)
      link = next
    }
    db.exec('COMMIT')
    progress?.(from - start)
  }
  for (const { sql } of triggers) db.exec(String(sql))
}
