/** A mapping tried on rows before a gateway uses it: each row goes the way of a question, and everything that happens to it is said. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Clause } from '#agreement/authorise.ts'
import { type Circumstances, gates, type Mark, marksOf, stoppedBy } from '#agreement/gates.ts'
import { maskText } from '#agreement/mask.ts'
import { dayOf } from '#protocol/day.ts'
import type { Value } from '#protocol/message.ts'
import { type PublicRefusal, Refusal, type RefusalCode, told } from '#protocol/refusal.ts'
import { completeUscc, readSubject, type Subject, subjectKinds } from '#protocol/subject.ts'
import { columnsOf, type MappingForm } from '#schema/format.ts'
import type { CompiledMapping, CompiledTable } from '#schema/mapping.ts'
import type { SharedRecord } from '#schema/record.ts'
import type { LocalRow } from '#schema/text.ts'
import { type LocalRecord, toLocal, toShared } from '#schema/translate.ts'
import { codeIn, learn } from '#source/keys.ts'
import type { Found } from '#source/source.ts'
import { openSqlite } from '#source/sql.ts'

/** Why no question finds a row: no code in its key columns, a code in a form that the key does not name, a condition of `where`, a newer version. */
export type Unread = 'no-key' | 'key-form' | 'condition' | 'version'

export type TriedRow = {
  /** From 1, as in the file. */
  readonly row: number
  /** `given`: it may leave wherever an agreement provides for it. `refused`: it leaves under none, by `rule`. `unread`: no question finds it. */
  readonly outcome: 'given' | 'refused' | 'unread'
  readonly rule?: PublicRefusal
  readonly unread?: Unread
  /** Undefined where the key holds no lawful code: it may be a person's number, and is shown to nobody. */
  readonly subject?: string
  /** The row has an organisation code alone, and `subject` is made up around it. */
  readonly madeUp?: true
  /** Undefined for a row about a person, which is never read, and for one that a condition leaves out. */
  readonly shared?: {
    readonly family: string
    readonly id: string
    readonly fields: Readonly<Record<string, Value>>
    /** What the gates go by; they do not travel. */
    readonly state: string
    readonly level: string | null
    readonly publishedUntil: string | null
    readonly endedOn: string | null
  }
  /** What it says of itself where it leaves: 异议 objection, 仅供参考 notice, 地域 territorial. */
  readonly marks: readonly Mark[]
  /** Fields that held what no text may (a person's number or name, an account); above they stand masked. */
  readonly masked: readonly string[]
  /** Fields that travel as the city's own word alone, or with several codes of which one holds. */
  readonly notTranslated: readonly {
    readonly field: string
    readonly zh: string
    readonly original: string
    readonly codes: readonly string[]
  }[]
  /** The record as this city would show it, were it another city's. */
  readonly back?: LocalRecord
  /** Columns in which that differs from the row; null: nothing stands there. Empty where another table of ours shows it. */
  readonly changed: readonly {
    readonly column: string
    readonly zh: string
    readonly was: string | null
    readonly now: string | null
  }[]
}

export type Trial = {
  readonly city: string
  readonly table: string
  readonly family: string
  /** Columns of the rows that the mapping neither reads nor leaves for a reason. */
  readonly unknown: readonly string[]
  /** Columns that the mapping reads and no row has. */
  readonly lacking: readonly string[]
  readonly rows: readonly TriedRow[]
}

/** Beside the columns of the mapping; it says which row of the file came back. */
const NUMBER = 'xinqiao_row'

/**
 * Tries rows of one table. `form` and `mapping` are of the same file; `table` is a name of the mapping; `now` is epoch milliseconds, and
 * publicity ends by its day in Asia/Shanghai. The rows lie in a private database on disk while this runs, without the columns that the
 * mapping leaves where they are. Throws RangeError for a table that the mapping does not have.
 */
export async function tryRows(
  { form, mapping }: { readonly form: MappingForm; readonly mapping: CompiledMapping },
  name: string,
  rows: readonly LocalRow[],
  now: number,
): Promise<Trial> {
  const table = mapping.tables.get(name)
  const shape = form.tables[name]
  if (table === undefined || shape === undefined) throw new RangeError(`no table ${name}`)
  const columns = Object.keys(shape.columns).filter(column => !Object.hasOwn(shape.ignored, column))
  const present = new Set(rows.flatMap(Object.keys))
  const keys = subjectsOf(rows, table)
  const subjects = [...new Set(keys.flatMap(({ subject }) => subject?.uscc ?? []))]
  const [found, unconditional] = await lookedUp(table, columns, rows, subjects)

  const records = rows.map((row, i) => {
    const key = keys[i]
    if (key?.refused === 'subject.person') return undefined
    const [record] = toShared([{ table: name, subject: key?.subject?.uscc ?? '', row }], mapping)
    return record
  })
  const newest = newestVersions(table, rows, records)
  const filling = new Set(Object.values(shape.fields).flatMap(columnsOf))
  const why = (i: number, subject: Subject | undefined): Unread | undefined => {
    if (subject === undefined) return 'no-key'
    if (!unconditional.has(i)) return 'key-form'
    if (!found.has(i)) return 'condition'
    return newest.has(i) ? undefined : 'version'
  }
  const at = underAny(table.family, mapping, dayOf(now))
  const tried = rows.map((row, i): TriedRow => {
    const { subject, refused, madeUp } = keys[i] ?? {}
    const record = records[i]
    const unread = refused === undefined ? why(i, subject) : undefined
    const rule = refused ?? (subject && record && stoppedBy(record, at))
    return {
      row: i + 1,
      outcome: unread !== undefined ? 'unread' : rule !== undefined ? 'refused' : 'given',
      ...(rule !== undefined && unread === undefined && { rule: told(rule) }),
      ...(unread !== undefined && { unread }),
      ...(subject !== undefined && { subject: subject.uscc }),
      ...(madeUp && { madeUp }),
      marks: subject && record ? marksOf(record, at) : [],
      ...translated(unread === 'condition' ? undefined : record, row, mapping, table, filling),
    }
  })
  return {
    city: mapping.city,
    table: name,
    family: table.family,
    unknown: [...present].filter(
      column => !Object.hasOwn(shape.columns, column) && !Object.hasOwn(shape.ignored, column),
    ),
    lacking: columns.filter(column => !present.has(column)),
    rows: tried,
  }
}

type Key = { readonly subject?: Subject; readonly refused?: RefusalCode; readonly madeUp?: true }

const ORGANISATION = /^([0-9A-Z]{8})-?[0-9A-Z]$/

/** Whose each row is, by the first key column that holds anything lawful; or why it is nobody's. */
function subjectsOf(rows: readonly LocalRow[], { key }: CompiledTable): readonly Key[] {
  const stated = (text: string) => codeIn(text) ?? text.trim().toUpperCase()
  const texts = rows.map(row => key.columns.map(column => stated(row[column] ?? '')).filter(text => text !== ''))
  const whole = texts.map((codes): Key => {
    let refused: RefusalCode | undefined
    for (const code of codes) {
      try {
        return { subject: readSubject(code) }
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        // A person's number outweighs whatever else stands there.
        if (refused === undefined || error.code === 'subject.person') refused = error.code
      }
    }
    return refused === undefined ? {} : { refused }
  })
  const known = new Map(whole.flatMap(({ subject }) => (subject ? [[subject.uscc.slice(8, 17), subject]] : [])))
  return whole.map((each, i) => {
    if (each.subject !== undefined || each.refused === 'subject.person') return each
    for (const code of texts[i] ?? []) {
      const [, body] = ORGANISATION.exec(code) ?? []
      if (body === undefined || !key.forms.some(form => form.startsWith('organisation'))) continue
      const madeUp = completeUscc(`91000000${body}`)
      const subject = known.get(madeUp.slice(8, 17))
      return subject === undefined ? { subject: readSubject(madeUp), madeUp: true } : { subject }
    }
    // A placeholder for "no code" is no code.
    return texts[i]?.every(code => /^0{17}X$/.test(code)) ? {} : each
  })
}

/** The rows that a question finds, by their place; and those that it would find were it not for the conditions. */
async function lookedUp(
  table: CompiledTable,
  columns: readonly string[],
  rows: readonly LocalRow[],
  subjects: readonly string[],
): Promise<readonly [found: ReadonlySet<number>, unconditional: ReadonlySet<number>]> {
  const folder = mkdtempSync(join(tmpdir(), 'xinqiao-try-'))
  const path = join(folder, 'rows.sqlite')
  const wanted = { ...table, table: 'rows', columns: [...table.columns, NUMBER] }
  const source = openSqlite({ name: 'rows', path, tables: [wanted] })
  try {
    fill(path, columns, rows)
    const spellings = await learn(source, wanted)
    const found = await source.read(wanted, subjects, spellings)
    const all = await source.read({ ...wanted, where: [] }, subjects, spellings)
    const places = (found: readonly Found[]) => new Set(found.map(({ row }) => Number(row[NUMBER])))
    return [places(found), places(all)]
  } finally {
    await source.close()
    rmSync(folder, { recursive: true })
  }
}

function fill(path: string, columns: readonly string[], rows: readonly LocalRow[]) {
  using db = new DatabaseSync(path)
  const quoted = columns.map(column => `"${column}"`)
  db.exec(`create table rows (${quoted.map(column => `${column} text, `).join('')}${NUMBER} integer)`)
  const insert = db.prepare(`insert into rows values (${quoted.map(() => '?, ').join('')}?)`)
  for (const [i, row] of rows.entries()) insert.run(...columns.map(column => row[column] ?? null), i)
}

/** The places of rows of which there is no newer version. */
function newestVersions(
  { version }: CompiledTable,
  rows: readonly LocalRow[],
  records: readonly (SharedRecord | undefined)[],
): ReadonlySet<number> {
  const places = rows.map((row, i) => {
    const { of, number } = version?.(row) ?? { of: String(i), number: 0 }
    return { i, of: `${records[i]?.subject} ${of}`, number }
  })
  const greatest = new Map<string, number>()
  for (const { of, number } of places) {
    // What is no number can be told to be neither older nor newer.
    if (!Number.isNaN(number)) greatest.set(of, Math.max(greatest.get(of) ?? number, number))
  }
  return new Set(places.flatMap(({ i, of, number }) => (number < (greatest.get(of) ?? number) ? [] : i)))
}

/** The most generous agreement that could be written: what stops a record under it stops it under any. */
function underAny(family: string, { city, vocabulary }: CompiledMapping, today: string): Circumstances {
  const { fields, listField, schemeField } = vocabulary.families.get(family) ?? {}
  const clause: Clause = {
    clause: '',
    kinds: new Set(subjectKinds),
    level: 'authorised',
    fields: new Set(fields?.keys()),
    lists: listField === undefined ? undefined : new Set(vocabulary.lists.keys()),
    schemes: schemeField === undefined ? undefined : new Set(vocabulary.schemes.keys()),
  }
  return { today, clauses: [clause], giver: city, vocabulary }
}

const maskings = gates.filter(gate => 'masks' in gate)

type Translated = Pick<TriedRow, 'shared' | 'masked' | 'notTranslated' | 'back' | 'changed'>

function translated(
  record: SharedRecord | undefined,
  row: LocalRow,
  mapping: CompiledMapping,
  table: CompiledTable,
  filling: ReadonlySet<string>,
): Translated {
  if (record === undefined || record.aboutPerson === true) return { masked: [], notTranslated: [], changed: [] }
  const { family, id, state, level = null, publishedUntil = null, endedOn = null } = record
  const labels = mapping.vocabulary.families.get(family)?.fields
  const fields: Readonly<Record<string, Value>> = Object.fromEntries(
    [...(labels?.keys() ?? [])].flatMap(name => {
      const value = record.fields[name]
      if (value === undefined) return []
      return [[name, maskings.reduce((open, { masks }) => masks(open, name, record.kind), value)]]
    }),
  )
  const back = toLocal({ id, family, fields }, mapping)
  return {
    shared: { family, id, fields, state, level, publishedUntil, endedOn },
    masked: Object.keys(fields).filter(name => fields[name] !== record.fields[name]),
    notTranslated: Object.entries(fields).flatMap(([field, value]) => {
      const zh = labels?.get(field)?.zh ?? field
      if (typeof value === 'string') return []
      if ('untranslated' in value) return [{ field, zh, original: value.untranslated, codes: [] }]
      return 'codes' in value && value.ambiguous ? [{ field, zh, original: value.original, codes: value.codes }] : []
    }),
    back,
    changed: back.table === table.name ? changes(row, back, table, filling) : [],
  }
}

/** Where the way there and back does not end where it began; of columns that fill a field. */
function changes(row: LocalRow, back: LocalRecord, { labels }: CompiledTable, filling: ReadonlySet<string>) {
  return Object.entries(labels).flatMap(([column, zh]) => {
    if (!filling.has(column) && back.columns[column] === undefined) return []
    const stated = row[column] ?? null
    const was = stated === null || stated.trim() === '' ? null : maskText(stated)
    const now = back.columns[column] ?? null
    return was === now ? [] : [{ column, zh, was, now }]
  })
}
