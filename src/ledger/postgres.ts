/**
 * The ledger of several gateways: one PostgreSQL (15 or later), to which each of them appends, and none holds up another.
 *
 * A group is written by one statement, `append_group`, that takes the lock of the ledger, follows its head and commits: a
 * gateway that stops in the middle stops nobody. Where the answer to a statement is lost, the group may be written or not;
 * it is then sent again, as the same turn of the same writer, until the server says what became of it. Nobody is told
 * anything before that; and whoever is told `ledger.unavailable` after all has lost an answer, never an entry that left.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type postgres from 'postgres'
import { z } from 'zod'
import type { Receipt } from '#protocol/message.ts'
import { type Refusal, refuse } from '#protocol/refusal.ts'
import { base64url, type Identity, leafHash, nextLink, originLink, readEntry } from './entry.ts'
import { putTogether, takeApart } from './evidence.ts'
import { matches } from './filter.ts'
import type { Evidence, Filter, Ledger, Page, Recorded, SignedAnswer } from './ledger.ts'
import { type Connection, connect, isAnswer, mayHaveBeenDone, openLine, unavailable } from './postgres-line.ts'
import { bringUpTables, grantTo, makeTables, SEGMENT, tableFaults } from './postgres-tables.ts'
import { DEFAULT_RETENTION_DAYS, type Item, openQueue, replayable, type Written } from './queue.ts'
import { firstSinceAsked } from './since.ts'

/** A connection, or a transaction on one. */
export type Statements = postgres.ISql

/** How long a group is asked after whose fate is not known, and the pause between two tries; ms. */
const DOUBT = 10_000
const AGAIN = 100
/** Entries that one page of a search looks at, where no single index leads to what is looked for. */
const SCAN = 20_000
/** Segments that one statement of a search by subject looks into: a million entries. */
const SEGMENTS = 32
/** By how much the clocks of gateways, or one that was set back, may put entries out of the order of time; ms. */
const DISORDER = 3_600_000
/** By how many places one of three neighbours may be away from where it counts. */
const NEIGHBOURS = 2

/**
 * Makes a ledger where there is none: in the first schema of the connection's search_path, owned by the role that connects.
 * `role` is another that may then append and read, and nothing else: the one for gateways. `fill` writes what is in it from the
 * beginning; until it is done, nobody sees a ledger there.
 * Throws `ledger.unavailable` where one is, or where the server is too old or keeps less than what it is told to.
 */
export async function createPostgresLedger(
  url: string,
  { city, id = randomUUID(), created = new Date().toISOString() }: Pick<Identity, 'city'> & Partial<Identity>,
  role?: string,
  fill?: (sql: Statements) => Promise<void>,
): Promise<void> {
  // Who fills it reads elsewhere meanwhile, for as long as that takes.
  const session = fill && { statement_timeout: 0, idle_in_transaction_session_timeout: 0 }
  // With the pipeline that postgres.js needs for `begin`; nothing here is ever cancelled.
  const sql = connect(url, 1, session, 100)
  try {
    const faults = await serverFaults(sql)
    if (faults.length > 0) throw new Error(faults.join('; '))
    const identity = { city, id, created }
    await sql.begin(async tx => {
      const [there] = await tx`SELECT to_regclass(format('%I.ledger', current_schema())) AS ledger`
      if (there?.['ledger'] !== null) throw new Error('a ledger is there already; it is not begun twice')
      await makeTables(tx)
      await tx`INSERT INTO ledger VALUES (1, ${city}, ${id}, ${created}, ${Buffer.from(originLink(identity))})`
      if (role !== undefined) await grantTo(tx, role)
      await fill?.(tx)
    })
  } catch (fault) {
    throw unavailable(fault)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Lets a role append to a ledger and read it, and nothing else; `url` is its owner's. Throws `ledger.unavailable`. */
export async function grantPostgresLedger(url: string, role: string): Promise<void> {
  const sql = connect(url, 1, {}, 100)
  try {
    await sql.begin(tx => grantTo(tx, role))
  } catch (fault) {
    throw unavailable(fault)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/**
 * Brings the tables of a ledger up to this program's version, all of it or nothing; gives from which. `url` is its owner's.
 * Throws `ledger.unavailable`, also where they are of a later one.
 */
export async function upgradePostgresLedger(url: string): Promise<number> {
  const sql = connect(url, 1, { statement_timeout: 0 }, 100)
  try {
    return await sql.begin(bringUpTables)
  } catch (fault) {
    throw unavailable(fault)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/**
 * Opens the ledger of this city for appending, as one of any number of processes. Evidence is held for `retentionDays`.
 * Throws `ledger.unavailable` when the server cannot be reached, has no ledger, one of another city, one whose tables,
 * triggers or functions were changed, or does not promise that what it commits is kept.
 */
export async function openPostgresLedger(
  url: string,
  city: string,
  { retentionDays = DEFAULT_RETENTION_DAYS } = {},
): Promise<Ledger> {
  const store = await openPostgresStore(url)
  try {
    if (store.identity.city !== city) throw new Error(`it is the ledger of ${store.identity.city}, not of ${city}`)
    const { since, most } = replayable()
    const earlier = await store.messagesSince(since, most)
    return serve(store, earlier, retentionDays * 86_400)
  } catch (fault) {
    await store.close()
    throw unavailable(fault)
  }
}

const IdentityRow = z.object({
  city: z.string(),
  id: z.string(),
  created: z.string(),
  origin: z.instanceof(Uint8Array),
})
/** PostgreSQL's bigint comes as a text. */
export const place = z
  .string()
  .regex(/^-?[0-9]+$/)
  .transform(Number)
const Bytes = z.instanceof(Uint8Array)
const PlacedRow = z.object({ place: place.nullable(), before_it: Bytes.nullable(), its_link: Bytes.nullable() })
export const IndexRow = z.object({ ix: place })
const InstantRow = z.object({ at: z.string() })
const HoldingRow = z.object({ ix: place, expires_at: place })
const EntryRow = z.object({ ix: place, body: z.string(), link: Bytes })
export const EvidenceRow = z.object({
  question: Bytes.nullable(),
  answer: Bytes.nullable(),
  header: z.string().nullable(),
  before: z.string().nullable(),
  after: z.string().nullable(),
  signature: z.string().nullable(),
})

type PostgresStore = Awaited<ReturnType<typeof openPostgresStore>>

/** The tables behind a ledger, before any queue. */
async function openPostgresStore(url: string) {
  const writing = openLine(url, 1)
  const reading = openLine(url, 3)
  const leading = openLine(url, 1, { idle_session_timeout: 0 })
  try {
    const faults = await reading.ask(async sql => [...(await serverFaults(sql)), ...(await tableFaults(sql))])
    if (faults.length > 0) throw new Error(faults.join('; '))
    const identity = await reading.ask(readIdentity)
    return store(identity)
  } catch (fault) {
    await Promise.all([writing.close(), reading.close(), leading.close()])
    throw unavailable(fault)
  }

  function store(identity: Identity) {
    const me = randomUUID()
    let turn = 0

    /** One statement that is the group's whole transaction; asked again until its outcome is known. */
    async function write(group: readonly Item[], signed: ReadonlyMap<number, SignedAnswer>): Promise<Written> {
      turn += 1
      const mine = turn
      const until = Date.now() + DOUBT
      let doubt = false
      for (;;) {
        try {
          return await writing.ask(sql => appendGroup(sql, { writer: me, turn: mine }, group, signed))
        } catch (fault) {
          // An answer to a later try says nothing of what became of an earlier one.
          doubt ||= !isAnswer(fault) && mayHaveBeenDone(fault)
          if (!doubt || Date.now() > until) throw unavailable(fault)
          await pause(AGAIN)
        }
      }
    }

    return { identity, write, reading, messagesSince, leads, close }

    /** A lock of this very connection, which the server takes back as soon as it is gone. */
    async function leads(): Promise<boolean> {
      try {
        const [row] = await leading.ask(
          sql => sql<{ leads: boolean }[]>`SELECT pg_try_advisory_lock(hashtextextended(${identity.id}, 0)) AS leads`,
        )
        return row?.leads === true
      } catch {
        return false
      }
    }

    async function messagesSince(since: string, most: number): Promise<string[]> {
      const rows = await reading.ask(
        sql => sql<{ message: string }[]>`SELECT peer || ' ' || jti AS message FROM entry
          WHERE at >= ${since} AND jti IS NOT NULL AND kind NOT IN ('asked', 'outcome') ORDER BY at DESC LIMIT ${most}`,
      )
      return rows.map(({ message }) => message).reverse()
    }

    async function close(): Promise<void> {
      await Promise.all([writing.close(), reading.close(), leading.close()])
    }
  }
}

/** Writes signed answers, and then a group, by one statement; gives where each of the group now stands. */
export async function appendGroup(
  sql: Statements,
  { writer, turn }: { readonly writer: string; readonly turn: number },
  group: readonly Item[],
  signed: ReadonlyMap<number, SignedAnswer>,
): Promise<Written> {
  const items = JSON.stringify(group.map(({ body, evidence, expiresAt }) => ({ body, ...held(evidence, expiresAt) })))
  const answers = JSON.stringify([...signed].map(([ix, answer]) => ({ ix, ...takeApart(answer) })))
  const rows = await sql`SELECT * FROM append_group(${writer}, ${turn}, ${items}::text::json, ${answers}::text::json)`
  return placed(group, z.array(PlacedRow).parse(rows))
}

function held(evidence: Evidence | undefined, expires: number) {
  const base64 = (text: string | undefined) => text && Buffer.from(text).toString('base64')
  return evidence && { question: base64(evidence.question), answer: base64(evidence.answer), expires }
}

/** What the server says, held against what we gave it: a link that is not of our texts is none of ours. */
function placed(group: readonly Item[], rows: readonly z.infer<typeof PlacedRow>[]): Written {
  if (rows.length !== group.length)
    throw refuse('ledger.unavailable', `${rows.length} places for ${group.length} entries`)
  return group.map(({ body, at }, i): Receipt | Refusal => {
    const { place, before_it: previous, its_link: link } = rows[i] ?? {}
    if (typeof place !== 'number' || !previous || !link) return refuse('token.replayed')
    const leaf = leafHash(body)
    if (Buffer.compare(nextLink(previous, leaf), link) !== 0) {
      return refuse('ledger.unavailable', `entry ${place} does not have the link of its text`)
    }
    return { index: place, leaf: base64url(leaf), link: base64url(link), at }
  })
}

function serve(store: PostgresStore, earlier: readonly string[], retention: number): Ledger {
  const { identity, reading } = store
  const queue = openQueue({ write: store.write, retention, earlier, release: store.close })
  const read = async <T>(question: (sql: Connection) => Promise<T>): Promise<T> => {
    try {
      return await reading.ask(question)
    } catch (fault) {
      throw unavailable(fault)
    }
  }

  return {
    city: identity.city,
    id: identity.id,
    append: queue.append,
    keep: queue.keep,
    watch: queue.watch,
    seen: queue.seen,

    entry: async index => {
      if (!Number.isSafeInteger(index)) return undefined
      const [row] = await read(sql => sql`SELECT ix, body, link FROM entry WHERE ix = ${index}`)
      return row && recorded(row)
    },

    evidence: async index => {
      if (!Number.isSafeInteger(index)) return undefined
      const [row] = await read(
        sql => sql`SELECT question, answer, header, before, after, signature
          FROM evidence LEFT JOIN signed USING (ix) WHERE ix = ${index}`,
      )
      return row && readEvidence(row)
    },

    entries: async ({ from, limit }) => {
      const rows = await read(
        sql => sql`SELECT ix, body, link FROM entry WHERE ix >= ${from} ORDER BY ix LIMIT ${limit}`,
      )
      return rows.map(recorded)
    },

    search: async (filter, { before, limit }) => read(sql => search(sql, filter, before, limit)),

    head: async () => read(sql => headOf(sql, identity)),
    count: async () => (await read(sql => headOf(sql, identity))).count,

    subjectsSince: async (peer, instant) => {
      const since = new Date(instant).toISOString()
      const rows = await read(
        sql => sql<{ agreement: string; n: string }[]>`
          SELECT text -> 'agreement' ->> 'id' AS agreement, sum(json_array_length(text -> 'subjects')) AS n
            FROM (SELECT replace(body, '\\u0000', '\\ufffd')::json AS text FROM entry
              WHERE at >= ${since} AND kind = 'answered' AND peer = ${peer}) AS answered GROUP BY agreement`,
      )
      return new Map(rows.map(({ agreement, n }) => [agreement, Number(n)]))
    },

    holding: async ({ from, limit }) => {
      const rows = await read(
        sql => sql`SELECT ix, expires_at FROM evidence WHERE ix >= ${from} ORDER BY ix LIMIT ${limit}`,
      )
      return z
        .array(HoldingRow)
        .parse(rows)
        .map(row => ({ index: row.ix, until: row.expires_at }))
    },

    letGo: async (indexes, judgedBy) => {
      queue.assertOpen()
      const [row] = await read(
        sql => sql`SELECT let_go(string_to_array(${indexes.join()}, ',')::bigint[], ${judgedBy}) AS ix`,
      )
      return IndexRow.parse(row).ix
    },

    leads: store.leads,

    writable: async () => {
      queue.assertOpen()
      await read(sql => sql`SELECT try_write()`)
    },

    close: queue.close,
    [Symbol.asyncDispose]: queue.close,
  }
}

async function headOf(sql: Connection, identity: Identity): Promise<{ count: number; link: string }> {
  const [row] = await sql`SELECT ix, body, link FROM entry ORDER BY ix DESC LIMIT 1`
  if (row === undefined) return { count: 0, link: base64url(originLink(identity)) }
  const { ix, link } = EntryRow.parse(row)
  return { count: ix + 1, link: base64url(link) }
}

function recorded(row: unknown): Recorded {
  const { ix, body, link } = EntryRow.parse(row)
  const entry = readEntry(body)
  return { entry, receipt: { index: ix, leaf: base64url(leafHash(body)), link: base64url(link), at: entry.at } }
}

/** A row of evidence as what was signed; the body alone where a crash came before the signature. */
function readEvidence(row: unknown): Evidence {
  const { question, answer, header, before, after, signature } = EvidenceRow.parse(row)
  const body = storedText(answer)
  return {
    question: storedText(question),
    answer: before === null ? body : putTogether({ header, before, after, signature }, body ?? ''),
  }
}

/** A text that is stored as its bytes. */
export function storedText(bytes: Uint8Array | null): string | undefined {
  return bytes === null ? undefined : Buffer.from(bytes).toString('utf8')
}

/**
 * One word has an index that leads to its newest entries; of several, the server chooses one and looks through what it leads
 * to, which is bounded. What it finds is held against `matches`, so that both engines find the same.
 */
async function search(sql: Connection, filter: Filter, before: number | undefined, limit: number): Promise<Page> {
  const { from, until, kinds, subject, matter, outcome } = filter
  const [head] = await sql`SELECT coalesce(max(ix), -1) + 1 AS ix FROM entry`
  const count = IndexRow.parse(head).ix
  const last = until === undefined ? count : await endOf(sql, until, count)
  const first = from === undefined ? 0 : await beginningOf(sql, from, count)
  const top = Math.min(before ?? count, last, count)

  const named = (['peer', 'purpose', 'department'] as const).flatMap(name =>
    filter[name] === undefined ? [] : [sql`AND ${sql(name)} = ${filter[name]}`],
  )
  if (outcome !== undefined) {
    named.push(
      /^(answered|refused|unknown)$/.test(outcome) ? sql`AND outcome = ${outcome}` : sql`AND code = ${outcome}`,
    )
  }
  // An expression, so that the index of time does not fit: the server takes time and place for independent, and would read and sort a
  // whole day for one page.
  if (from !== undefined) named.push(sql`AND at || '' >= ${from}`)
  if (until !== undefined) named.push(sql`AND at || '' < ${until}`)
  // As canonical JSON writes it, the part stands in the text of the entry: enough to pass over those that lack it.
  if (matter !== undefined) named.push(sql`AND strpos(body, ${JSON.stringify(matter).slice(1, -1)}) > 0`)
  const asked = [filter.peer, filter.purpose, filter.department, outcome, kinds].filter(
    word => word !== undefined,
  ).length
  const isLed = subject !== undefined || (matter === undefined && asked <= 1)
  const bottom = isLed ? first : Math.max(first, top - SCAN)
  const words = named.reduce((all, each) => sql`${all} ${each}`, sql``)
  const within = sql`ix >= ${bottom} AND ix < ${top} ${words}`
  const newest = sql`ORDER BY ix DESC LIMIT ${limit}`
  const columns = sql`SELECT ix, body, link FROM entry`
  const each = kinds?.map(kind => sql`(${columns} WHERE kind = ${kind} AND ${within} ${newest})`)
  const rows =
    subject !== undefined
      ? await newestAbout(
          sql,
          subject,
          { bottom, top, limit },
          kinds === undefined ? words : sql`${words} AND kind = ANY (string_to_array(${kinds.join()}, ','))`,
        )
      : each === undefined
        ? await sql`${columns} WHERE ${within} ${newest}`
        : each.length === 0
          ? []
          : // Each kind from the end of its own index: of one that is rare the server would look through all the others.
            await sql`SELECT * FROM (${each.reduce((all, one) => sql`${all} UNION ALL ${one}`)}) AS found ${newest}`
  const seen = rows.map(recorded)
  const next = seen.length < limit ? bottom : (seen.at(-1)?.receipt.index ?? 0)
  return {
    entries: seen.filter(({ entry }) => matches(entry, filter)),
    next: next > first ? next : undefined,
  }
}

/**
 * The place from which on no entry is earlier than an instant. Entries stand in the order of time but for DISORDER: so it is the first
 * entry of the instant or later, or, where that is behind it, the place after the last one of the hour before. `ix + 0` keeps the
 * server from walking back along the primary key to find that one.
 */
async function endOf(sql: Connection, instant: string, count: number): Promise<number> {
  const [row] = await sql`SELECT greatest(later.ix,
      (SELECT max(ix + 0) + 1 FROM entry WHERE at >= ${shifted(instant, -DISORDER)} AND at < ${instant})) AS ix
    FROM (SELECT ix FROM entry WHERE at >= ${instant} AND at < ${shifted(instant, 2 * DISORDER)} ORDER BY at, ix LIMIT 1) AS later`
  if (row !== undefined) return IndexRow.parse(row).ix
  return Math.min(count, (await placeOf(sql, count, shifted(instant, DISORDER))) + NEIGHBOURS)
}

/** The place before which no entry is of an instant or later. As `endOf`, from the other side. */
async function beginningOf(sql: Connection, instant: string, count: number): Promise<number> {
  const [row] = await sql`SELECT least(earlier.ix + 1,
      (SELECT min(ix + 0) FROM entry WHERE at >= ${instant} AND at < ${shifted(instant, DISORDER)})) AS ix
    FROM (SELECT ix FROM entry WHERE at >= ${shifted(instant, -2 * DISORDER)} AND at < ${instant}
      ORDER BY at DESC, ix DESC LIMIT 1) AS earlier`
  if (row !== undefined) return IndexRow.parse(row).ix
  return Math.max(0, (await placeOf(sql, count, shifted(instant, -DISORDER))) - NEIGHBOURS)
}

/**
 * Where nothing was recorded for hours: the place about which time passes an instant, by halving. Of three neighbours the middle one
 * counts: an entry of a clock that was years away, which would be the next one in the index of time, says nothing of where the others stand.
 */
async function placeOf(sql: Connection, count: number, instant: string): Promise<number> {
  const around = async (place: number) => {
    const rows = await sql`SELECT at FROM entry WHERE ix >= ${place - 1} AND ix <= ${place + 1} ORDER BY at`
    const row = rows[Math.floor((rows.length - 1) / 2)]
    return row && InstantRow.parse(row).at
  }
  const newest = await around(count - 2)
  return newest !== undefined && newest < instant ? count : firstSinceAsked(count, instant, around)
}

function shifted(instant: string, ms: number): string {
  return new Date(Date.parse(instant) + ms).toISOString()
}

/** From one segment to the one before it, for each leads elsewhere in the index of subjects; until there are enough. */
async function newestAbout(
  sql: Connection,
  subject: string,
  { bottom, top, limit }: { readonly bottom: number; readonly top: number; readonly limit: number },
  words: postgres.PendingQuery<postgres.Row[]>,
): Promise<unknown[]> {
  const rows: unknown[] = []
  const last = Math.floor(bottom / SEGMENT)
  for (let first = Math.floor((top - 1) / SEGMENT); first >= last && rows.length < limit; first -= SEGMENTS) {
    const found =
      await sql`SELECT found.* FROM generate_series(${first}::bigint, ${Math.max(last, first - SEGMENTS + 1)}, -1) AS one,
      LATERAL (SELECT subject.ix, body, link FROM subject JOIN entry USING (ix)
        WHERE segment = one AND uscc = ${subject} AND subject.ix >= ${bottom} AND subject.ix < ${top} ${words}
        ORDER BY subject.ix DESC LIMIT ${limit - rows.length}) AS found
      ORDER BY ix DESC LIMIT ${limit - rows.length}`
    rows.push(...found)
  }
  return rows
}

/** Whose ledger it is. Throws when it does not say, or when its first link is of another. */
export async function readIdentity(sql: Connection): Promise<Identity> {
  const [row] = await sql`SELECT city, id, created, origin FROM ledger`
  const { city, id, created, origin } = IdentityRow.parse(row)
  if (Buffer.compare(origin, originLink({ city, id, created })) !== 0)
    throw new Error('its first link is of another ledger')
  return { city, id, created }
}

/** What a server lacks of what a ledger needs, one sentence each. */
async function serverFaults(sql: Connection): Promise<string[]> {
  const [row] =
    await sql`SELECT current_setting('server_version_num')::int AS version, current_setting('fsync') AS fsync,
    current_setting('synchronous_commit') AS commit, current_setting('server_encoding') AS encoding,
    pg_is_in_recovery() AS standby, current_schema() AS schema`
  const { version, fsync, commit, encoding, standby, schema } = z
    .object({
      version: z.number(),
      fsync: z.string(),
      commit: z.string(),
      encoding: z.string(),
      standby: z.boolean(),
      schema: z.string().nullable(),
    })
    .parse(row)
  return [
    ...(version < 150_000 ? ['the server is older than PostgreSQL 15'] : []),
    ...(fsync === 'on' ? [] : ['the server has fsync off: what it commits may be lost']),
    ...(commit === 'on' || commit === 'remote_apply' ? [] : [`synchronous_commit is ${commit}, and has to be on`]),
    ...(encoding === 'UTF8' ? [] : [`the database is in ${encoding}, and has to be in UTF8`]),
    ...(standby ? ['the server is a standby, which takes no entries'] : []),
    ...(schema === null ? ['no schema of the search_path is there'] : []),
  ]
}
