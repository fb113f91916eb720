/** A source is where this city keeps records; a look-up gives what is there, or says that nothing can be said, and how fresh it is. */
import type { Freshness } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import type { KeyForm, Spellings } from './keys.ts'
import { openSpellings } from './spellings.ts'

/** A row as text: what the column holds, or null. Numbers and dates come as the database writes them. */
export type Row = Readonly<Record<string, string | null>>

/** A table to read: which columns, by which key, which rows. A city's compiled mapping gives these. */
export type Table = {
  /** Unique among the tables of a city; one database table may serve several. */
  readonly name: string
  readonly family: string
  /** The database's own name, with its schema if it has one: `YW_L_SGSXZXK`, `credit.penalty`. */
  readonly table: string
  readonly columns: readonly string[]
  readonly key: {
    /** Any of them may hold the subject. All have to be indexed, and among `columns`. */
    readonly columns: readonly string[]
    /** What stands in them, in whatever spelling. */
    readonly forms: readonly KeyForm[]
    /** Texts that stand before the code in some rows (统一社会信用代码：). */
    readonly prefixes: readonly string[]
  }
  readonly where: readonly Condition[]
  /** Absent: the table does not say when it was supplied, so its freshness is unknown. */
  readonly freshness?: {
    readonly column: string
    readonly maxAgeSeconds: number
    /** The instant that a text of the column states; undefined where it states none. */
    readonly instant: (text: string) => string | undefined
  }
}

/**
 * The column holds one of the texts; or none of them (an empty column then counts as none of them); or nothing, or
 * something.
 */
type Condition = {
  readonly column: string
  readonly in?: readonly string[]
  readonly notIn?: readonly string[]
  readonly empty?: boolean
  /** Texts that count as nothing where it is asked whether a column is empty (\N, 暂无). */
  readonly none?: readonly string[]
}

export type Found = { readonly table: string; readonly subject: string; readonly row: Row }

type SourceFault = 'source.unreachable' | 'source.slow'

/** One database. What fails rejects with a Refusal of a SourceFault code, and the next call tries anew. */
export type Source = {
  readonly name: string
  readonly tables: readonly Table[]
  /** Rows of one of its tables about these subjects; `spellings` are those in which codes stand there besides the usual ones. */
  read(table: Table, subjects: readonly string[], spellings?: Spellings): Promise<readonly Found[]>
  /** Every text of a key column, some thousand at a time and without holding anybody up. */
  texts(table: Table, column: string): AsyncIterable<readonly string[]>
  /** The key columns of every row that the table's conditions let through. */
  keys(table: Table): AsyncIterable<Row>
  /** The greatest text in the table's supply column; null for an empty table. */
  newest(table: Table): Promise<string | null>
  /** Whether every table is there with its columns. */
  check(): Promise<void>
  close(): Promise<void>
}

export type FamilyRows = {
  readonly family: string
  readonly rows: readonly Found[]
  /** Set where a table of the family could not be read: then `rows` may lack some, and must not be read as complete. */
  readonly unknown?: SourceFault
  readonly freshness: Freshness
}

type Held = { readonly source: Source; readonly table: Table }

/** The sources of a city, and how fresh their tables are; one for the life of a gateway. */
export type Sources = {
  readonly all: readonly Source[]
  /** The tables that hold a family, each with its source. */
  holding(family: string): readonly Held[]
  /** The spellings in which codes stand in a table. Rejects as a source does. */
  spellings(source: Source, table: Table): Spellings | Promise<Spellings>
  /** The freshness of a family: that of its least fresh table. */
  freshness(family: string): Promise<Freshness>
  /** Each source and what hinders it, for readiness; `detail` is for our log alone. */
  check(): Promise<readonly SourceState[]>
  close(): Promise<void>
}
type SourceState = { readonly name: string; readonly fault?: SourceFault; readonly detail?: string }

/** A failed look at the supply column is repeated after this time at the earliest: it may have cost a full timeout. */
const FAILURE_LIFETIME_MS = 5_000
/** A supply date that lies further ahead than this is a slip or a sentinel, and says nothing. */
const AHEAD_MS = 2 * 86_400_000

/** Gathers the sources of a city. `lifetimeMs` is how long a freshness is believed; `now` gives epoch milliseconds. */
export function gather(
  sources: readonly Source[],
  { lifetimeMs = 60_000, now = Date.now }: { readonly lifetimeMs?: number; readonly now?: () => number } = {},
): Sources {
  const families = Map.groupBy(
    sources.flatMap(source => source.tables.map(table => ({ source, table }))),
    ({ table }) => table.family,
  )
  const holding = (family: string): readonly Held[] => families.get(family) ?? []
  // A row in an odd spelling is to be found about as soon as any other: in seconds, where its freshness is told by the minute.
  const spellings = openSpellings(lifetimeMs / 12, now)
  // Large tables take a while to be read whole, and the first question is not to wait for it.
  for (const { source, table } of [...families.values()].flat()) {
    Promise.resolve(spellings(source, table)).catch(() => undefined)
  }
  const seen = new Map<Table, { until: number; newest: Promise<string | undefined> }>()

  /** The instant of the newest supply. One look at a time, however many questions wait for it. */
  const newest = (source: Source, table: Table): Promise<string | undefined> => {
    const known = seen.get(table)
    if (known !== undefined && now() < known.until) return known.newest
    const look = { until: Number.POSITIVE_INFINITY, newest: Promise.resolve<string | undefined>(undefined) }
    look.newest = source.newest(table).then(
      text => {
        look.until = now() + lifetimeMs
        return text === null ? undefined : table.freshness?.instant(text)
      },
      () => {
        look.until = now() + Math.min(lifetimeMs, FAILURE_LIFETIME_MS)
        return undefined
      },
    )
    seen.set(table, look)
    return look.newest
  }

  // What is known of a family holds until one of its tables is to be looked at again, or grows stale; not worked out before.
  const states = new Map<string, { until: number; freshness: Promise<Freshness> }>()
  const look = async (family: string, state: { until: number }): Promise<Freshness> => {
    const held = holding(family)
    const instants = await Promise.all(held.map(({ source, table }) => table.freshness && newest(source, table)))
    const tables = held.map(({ table }, i) => ({
      asOf: instants[i],
      maxAgeSeconds: table.freshness?.maxAgeSeconds ?? 0,
    }))
    const at = now()
    state.until = Math.min(
      ...held.map(({ table }) => seen.get(table)?.until ?? Number.POSITIVE_INFINITY),
      ...tables.map(({ asOf, maxAgeSeconds }) => turnsStale(asOf, maxAgeSeconds)).filter(instant => instant > at),
    )
    return freshnessOf(family, tables, at)
  }

  return {
    all: sources,
    holding,
    spellings,
    freshness(family) {
      const known = states.get(family)
      if (known !== undefined && now() < known.until) return known.freshness
      const state = {
        until: Number.POSITIVE_INFINITY,
        freshness: Promise.resolve<Freshness>({ family, status: 'unknown' }),
      }
      state.freshness = look(family, state)
      states.set(family, state)
      return state.freshness
    },
    check: () => Promise.all(sources.map(stateOf)),
    async close() {
      await Promise.all(sources.map(source => source.close()))
    },
  }
}

/** The first instant at which a table supplied then counts as stale. */
function turnsStale(asOf: string | undefined, maxAgeSeconds: number): number {
  return asOf === undefined ? Number.POSITIVE_INFINITY : Date.parse(asOf) + maxAgeSeconds * 1000 + 1
}

function freshnessOf(
  family: string,
  tables: readonly { readonly asOf: string | undefined; readonly maxAgeSeconds: number }[],
  now: number,
): Freshness {
  let oldest: string | undefined
  let status: 'fresh' | 'stale' | 'unknown' = tables.length === 0 ? 'unknown' : 'fresh'
  for (const { asOf, maxAgeSeconds } of tables) {
    const age = asOf === undefined ? Number.NaN : now - Date.parse(asOf)
    if (asOf === undefined || !(age >= -AHEAD_MS)) return { family, status: 'unknown' }
    if (age > maxAgeSeconds * 1000) status = 'stale'
    if (oldest === undefined || asOf < oldest) oldest = asOf
  }
  return oldest === undefined ? { family, status } : { family, asOf: oldest, status }
}

async function stateOf(source: Source): Promise<SourceState> {
  try {
    await source.check()
    return { name: source.name }
  } catch (error) {
    const { code, detail } = asFault(error, source.name)
    return { name: source.name, fault: code, detail }
  }
}

/**
 * Reads everything that the city keeps about the subjects: one result for each family, in the order asked. Never throws
 * for a source that fails, nor for a family that no source holds: that family is `unknown`, which is not "no records".
 */
export async function lookUp(
  { subjects, families }: { readonly subjects: readonly string[]; readonly families: readonly string[] },
  sources: Sources,
): Promise<readonly FamilyRows[]> {
  return await Promise.all(families.map(family => lookUpFamily(family, subjects, sources)))
}

async function lookUpFamily(family: string, subjects: readonly string[], sources: Sources): Promise<FamilyRows> {
  const held = sources.holding(family)
  if (held.length === 0) {
    return { family, rows: [], unknown: 'source.unreachable', freshness: { family, status: 'unknown' } }
  }
  const outcomes = await Promise.allSettled(
    held.map(async ({ source, table }) => await source.read(table, subjects, await sources.spellings(source, table))),
  )
  const rows: Found[] = []
  let unknown: SourceFault | undefined
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') rows.push(...outcome.value)
    else unknown ??= asFault(outcome.reason, family).code
  }
  // A source that does not answer is not asked for its age as well.
  if (unknown !== undefined) return { family, rows, unknown, freshness: { family, status: 'unknown' } }
  return { family, rows, freshness: await sources.freshness(family) }
}

/** Any other error than a source's own is a mistake of ours, and must not pass for a source that is down. */
function asFault(error: unknown, where: string): { code: SourceFault; detail: string } {
  if (error instanceof Refusal && (error.code === 'source.slow' || error.code === 'source.unreachable')) {
    return { code: error.code, detail: error.detail ?? error.code }
  }
  throw refuse('fault', `while reading ${where}`, error)
}
