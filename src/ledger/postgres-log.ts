/** The transparency log of a ledger in PostgreSQL: whichever gateway is faster extends it, and the others find that it did. */
import { z } from 'zod'
import { COSIGNABLE, contradictionNames, type LogStore } from './log.ts'
import { place } from './postgres.ts'
import { type Connection, openLine, unavailable } from './postgres-line.ts'

const Bytes = z.instanceof(Uint8Array)
const Kept = z.object({ size: place, note: z.string(), at: z.string() })
const Witnessed = Kept.extend({ city: z.string(), origin: z.string(), key: z.string() })
const Contradiction = z.object({
  city: z.string(),
  name: z.enum(contradictionNames),
  held: z.string(),
  found: z.string(),
  detail: z.string(),
  at: z.string(),
  acknowledged_by: z.string().nullable(),
  acknowledged_at: z.string().nullable(),
})
const Joined = z.object({ bytes: Bytes.nullable() })
const Done = z.object({ done: z.boolean() })
const Count = z.object({ n: place })
const Nothing = z.object({})

type Question = (sql: Connection) => PromiseLike<readonly unknown[]>

/** Opens the log of a ledger that `openPostgresLedger` has opened and judged. It connects when it is first asked. */
export function openPostgresLog(url: string): LogStore {
  const line = openLine(url, 1)
  const ask = async <T>(form: z.ZodType<T>, question: Question): Promise<T[]> => {
    try {
      return z.array(form).parse(await line.ask(async sql => await question(sql)))
    } catch (fault) {
      throw unavailable(fault)
    }
  }
  const one = async <T>(form: z.ZodType<T>, question: Question): Promise<T> => {
    const [row] = await ask(form, question)
    if (row === undefined) throw unavailable(new TypeError('the server gave no row'))
    return row
  }
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

  return {
    count: async () => (await one(Count, sql => sql`SELECT coalesce(max(ix), -1) + 1 AS n FROM entry`)).n,
    // PostgreSQL hashes the texts itself: a hash is a twentieth of what would cross the network.
    leaves: async (from, count) => {
      const { bytes } = await one(
        Joined,
        sql => sql`SELECT string_agg(sha256('\\x00'::bytea || convert_to(body, 'UTF8')), ''::bytea ORDER BY ix) AS bytes
          FROM entry WHERE ix >= ${from} AND ix < ${from + count}`,
      )
      return bytes ?? new Uint8Array()
    },
    tile: async ({ level, n }) => {
      const [row] = await ask(Joined, sql => sql`SELECT hashes AS bytes FROM tile WHERE level = ${level} AND n = ${n}`)
      return row?.bytes ?? undefined
    },
    roots: async (level, from, count) => {
      const { bytes } = await one(
        Joined,
        sql => sql`SELECT string_agg(root, ''::bytea ORDER BY n) AS bytes
          FROM tile WHERE level = ${level} AND n >= ${from} AND n < ${from + count}`,
      )
      return bytes ?? new Uint8Array()
    },
    newest: async () => {
      const [row] = await ask(Kept, sql => sql`SELECT size, note, at FROM checkpoint ORDER BY size DESC LIMIT 1`)
      return row
    },
    checkpoints: async limit =>
      ask(Kept, sql => sql`SELECT size, note, at FROM checkpoint ORDER BY size DESC LIMIT ${limit}`),
    checkpointsFrom: async (size, limit) =>
      ask(Kept, sql => sql`SELECT size, note, at FROM checkpoint WHERE size >= ${size} ORDER BY size LIMIT ${limit}`),
    extend: async (tiles, { size, note, at }, after) => {
      const made = JSON.stringify(
        tiles.map(({ level, n, root, hashes }) => ({ level, n, root: base64(root), hashes: base64(hashes) })),
      )
      const { done } = await one(
        Done,
        sql =>
          sql`SELECT extend_log(${after ?? null}, ${made}::text::json, ${size}, ${note}, ${at}, ${COSIGNABLE}) AS done`,
      )
      return done
    },
    cosigned: async (size, lines) => {
      await ask(Nothing, sql => sql`SELECT cosign_checkpoint(${size}, ${JSON.stringify(lines)}::text::json)`)
    },
    witnessed: () =>
      ask(
        Witnessed,
        sql => sql`SELECT DISTINCT ON (city) city, origin, key, size, note, at FROM witnessed ORDER BY city, ix DESC`,
      ),
    everWitnessed: () =>
      ask(Witnessed, sql => sql`SELECT city, origin, key, size, note, at FROM witnessed ORDER BY ix`),
    witness: async ({ city, size, note, at }, after) =>
      (await one(Done, sql => sql`SELECT witness_log(${city}, ${size}, ${note}, ${at}, ${after}) AS done`)).done,
    know: async ({ city, origin, key, size, note, at }) => {
      await ask(Nothing, sql => sql`SELECT know_log(${city}, ${origin}, ${key}, ${size}, ${note}, ${at})`)
    },
    contradictions: async city => {
      const rows = await ask(
        Contradiction,
        sql => sql`SELECT * FROM contradiction WHERE city = coalesce(${city ?? null}, city) ORDER BY ix`,
      )
      return rows.map(({ acknowledged_by: by, acknowledged_at: at, ...found }) =>
        by === null || at === null ? found : { ...found, acknowledged: { by, at } },
      )
    },
    contradict: async ({ city, name, held, found, detail, at }) => {
      const { done } = await one(
        Done,
        sql => sql`SELECT record_contradiction(${city}, ${name}, ${held}, ${found}, ${detail}, ${at}) AS done`,
      )
      return done
    },
    acknowledge: async (city, seen, { by, at }, published) => {
      const [origin, key] = [published?.origin ?? null, published?.key ?? null]
      const { n } = await one(
        Count,
        sql => sql`SELECT acknowledge_contradictions(${city}, ${seen}, ${by}, ${at}, ${origin}, ${key}) AS n`,
      )
      return n
    },
    [Symbol.asyncDispose]: line.close,
  }
}
