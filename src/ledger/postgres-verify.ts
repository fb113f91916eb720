/** Walks a ledger in PostgreSQL from its first entry to its last, as `verifyLedger` walks a file, and by the same judgement. */
import { z } from 'zod'
import { EvidenceRow, IndexRow, place, readIdentity, storedText } from './postgres.ts'
import { type Connection, connect, unavailable } from './postgres-line.ts'
import { SEGMENT, tableFaults, words } from './postgres-tables.ts'
import {
  type Batch,
  fault,
  type Held,
  type Misplaced,
  misplaced,
  openFindings,
  type Verification,
  type VerifyOptions,
  Walk,
} from './walk.ts'

const BATCH = 512
/** A search for the entry that another follows reads the whole ledger, and is made for the first few only. */
const SEARCHES = 8

const Bytes = z.instanceof(Uint8Array)
const WalkedRow = EvidenceRow.extend({
  ix: place,
  body: z.string(),
  previous: Bytes,
  link: Bytes,
  expires_at: place.nullable(),
  found: place.nullable(),
  ...eachWord(z.string().nullable()),
})
const Said = z.object({ ...eachWord(z.string().optional()), subjects: z.array(z.string()).optional() })

/** A form for each of the columns that are searched. */
function eachWord<T extends z.ZodType>(form: T) {
  return { kind: form, at: form, peer: form, jti: form, purpose: form, department: form, code: form, outcome: form }
}

/**
 * Verifies a ledger in use or at rest, over a connection that needs to read only. Throws `ledger.unavailable` when the
 * server cannot be reached; whatever is wrong inside is a fault.
 */
export async function verifyPostgres(
  url: string,
  { progress, receipts = [], report = 20, now = Date.now() }: VerifyOptions = {},
): Promise<Verification> {
  const sql = connect(url, 1, { statement_timeout: 0, default_transaction_read_only: true })
  const findings = openFindings(report)
  let walk: Walk | undefined
  try {
    await sql`SELECT 1`
  } catch (cause) {
    await sql.end({ timeout: 1 })
    throw unavailable(cause)
  }
  try {
    const faults = await tableFaults(sql)
    for (const detail of faults) findings.add(fault('schema-changed', undefined, detail))
    walk = new Walk(await readIdentity(sql), receipts, now)
    const [head] = await sql`SELECT coalesce(max(ix), -1) + 1 AS ix FROM entry`
    const total = IndexRow.parse(head).ix
    let searches = 0
    for await (const batch of batches(sql)) {
      for (const found of walk.step(batch)) {
        if ('follows' in found) searches += 1
        findings.add('follows' in found ? misplaced(found, await searched(sql, found, searches)) : found)
      }
      progress?.(walk.entries, total)
    }
    for (const found of walk.end()) findings.add(found)
  } catch (cause) {
    findings.add(fault('unreadable', undefined, cause instanceof Error ? cause.message : String(cause)))
  } finally {
    await sql.end({ timeout: 1 })
  }
  return findings.told(walk)
}

/** All rows of a ledger, in batches. */
export async function* batches(sql: Connection): AsyncGenerator<Batch> {
  let from = Number.MIN_SAFE_INTEGER
  for (;;) {
    const read = await sql`
      SELECT entry.ix, body, previous, link, expires_at, question, answer, header, before, after, signature,
          (SELECT min(ix) FROM entry AS other WHERE other.peer = entry.peer AND other.jti = entry.jti
            AND other.jti IS NOT NULL AND other.kind NOT IN ('asked', 'outcome')) AS found,
          ${sql([...words])}
        FROM entry LEFT JOIN evidence ON evidence.ix = entry.ix LEFT JOIN signed ON signed.ix = entry.ix
        WHERE entry.ix >= ${from} ORDER BY entry.ix LIMIT ${BATCH}`
    const walked = z.array(WalkedRow).parse(read)
    const last = walked.at(-1)
    const isLast = walked.length < BATCH || last === undefined
    const to = isLast ? Number.MAX_SAFE_INTEGER : last.ix
    const astray = await findAstray(sql, walked)
    const found = new Map(walked.map(row => [row.ix, row.found ?? undefined]))
    yield {
      rows: walked.map(row => ({
        index: row.ix,
        body: row.body,
        previous: row.previous,
        link: row.link,
        held: heldIn(row),
        isAstray: astray.has(row.ix),
      })),
      strays: {
        evidence: await indexes(sql`SELECT ix FROM evidence WHERE ix BETWEEN ${from} AND ${to}
          AND NOT EXISTS (SELECT FROM entry WHERE entry.ix = evidence.ix) ORDER BY ix`),
        signed: await indexes(sql`SELECT ix FROM signed WHERE ix BETWEEN ${from} AND ${to}
          AND NOT EXISTS (SELECT FROM evidence WHERE evidence.ix = signed.ix) ORDER BY ix`),
      },
      found: index => found.get(index),
    }
    if (isLast) return
    from = last.ix + 1
  }
}

function heldIn({
  question,
  answer,
  expires_at: until,
  header,
  before,
  after,
  signature,
}: z.infer<typeof WalkedRow>): Held | undefined {
  if (until === null) return undefined
  const signed = before === null ? undefined : { header, before, after, signature }
  return { question: storedText(question), answer: storedText(answer), until, signed }
}

/** Rows whose searched columns are not what their texts say, or whose subjects are not all found. */
async function findAstray(sql: Connection, rows: readonly z.infer<typeof WalkedRow>[]): Promise<ReadonlySet<number>> {
  const astray = new Set<number>()
  const subjects: { readonly uscc: string; readonly ix: number }[] = []
  for (const row of rows) {
    const entry = Said.safeParse(parsed(row.body)).data
    if (entry === undefined) continue
    for (const word of words) {
      const said = word === 'outcome' ? outcomeOf(entry) : entry[word]
      if ((row[word] ?? undefined) !== said?.replaceAll('\u0000', '\ufffd')) astray.add(row.ix)
    }
    for (const uscc of entry.subjects ?? []) subjects.push({ uscc, ix: row.ix })
  }
  const missing =
    await sql`SELECT ix FROM json_to_recordset(${JSON.stringify(subjects)}::text::json) AS said (uscc text, ix bigint)
    WHERE NOT EXISTS (SELECT FROM subject
      WHERE segment = said.ix / ${SEGMENT}::bigint AND subject.uscc = said.uscc AND subject.ix = said.ix)`
  for (const { ix } of z.array(IndexRow).parse(missing)) astray.add(ix)
  return astray
}

/** As the trigger `follow_head` has it. */
function outcomeOf({ kind, outcome }: z.infer<typeof Said>): string | undefined {
  if (kind === 'answered') return 'answered'
  if (kind === 'refused' || kind === 'declined') return 'refused'
  return kind === 'outcome' ? outcome : undefined
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

async function indexes(rows: PromiseLike<readonly unknown[]>): Promise<number[]> {
  return z
    .array(IndexRow)
    .parse(await rows)
    .map(({ ix }) => ix)
}

async function searched(sql: Connection, { follows }: Misplaced, searches: number): Promise<number | undefined> {
  if (searches > SEARCHES) return undefined
  const [row] = await sql`SELECT ix FROM entry WHERE link = ${Buffer.from(follows)}`
  return row && IndexRow.parse(row).ix
}
