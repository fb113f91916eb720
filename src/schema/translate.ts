/** Local to shared to local: what the mapping covers is translated, what it does not is carried as it stands and said to be so. */
import type { Freshness, WireRecord } from '#protocol/message.ts'
import type { RefusalCode } from '#protocol/refusal.ts'
import type { Relation } from './format.ts'
import type { CompiledMapping, CompiledTable } from './mapping.ts'
import { recordStates, type SharedRecord } from './record.ts'
import type { LocalRow } from './text.ts'
import { type Missing, missing } from './write.ts'

/** A row as the source room finds it: in which table, for which of the subjects that were asked about. */
export type FoundRow = { readonly table: string; readonly subject: string; readonly row: LocalRow }

/** A foreign record in our words. */
export type LocalRecord = {
  /** Undefined: we keep no table for this family, and everything is in `untranslated`. */
  readonly table: string | undefined
  readonly columns: Readonly<Record<string, string>>
  /** The Chinese label of each column in `columns`, in the table's own order. */
  readonly labels: Readonly<Record<string, string>>
  /** For each coded column: the other city's own word, and how our word stands to the shared code. */
  readonly meanings: Readonly<Record<string, { readonly original: string; readonly relation: Relation }>>
  readonly untranslated: readonly Untranslated[]
}

/** A field, or a part of one, for which we have no column or no word. */
type Untranslated = {
  readonly field: string
  readonly zh: string
  /** The other city's own word or text. */
  readonly original: string
  /** The shared names of its codes, where there are any. */
  readonly meaning?: string
  readonly reason: Missing['reason'] | 'no-table' | 'unknown-field'
}

/** What was found of one family, and what can be said of its completeness and age. */
export type FoundFamily = {
  readonly family: string
  readonly rows: readonly FoundRow[]
  readonly unknown?: RefusalCode
  readonly freshness: Freshness
}
export type SharedFamily = Omit<FoundFamily, 'rows'> & {
  readonly records: ReadonlyMap<string, readonly SharedRecord[]>
}

/** Gives what was found as shared records, by the subject that was asked about. Pure; throws as `toShared` does. */
export function translate(found: readonly FoundFamily[], mapping: CompiledMapping): SharedFamily[] {
  return found.map(({ rows, ...rest }) => ({
    ...rest,
    records: Map.groupBy(toShared(rows, mapping), record => record.subject),
  }))
}

/**
 * Gives rows of the city's own tables as shared records, in their order. Where a table has versions, only the latest of
 * each record is given. Pure. Throws Error for a row of a table that the mapping does not have: that is our own mistake.
 */
export function toShared(rows: readonly FoundRow[], mapping: CompiledMapping): SharedRecord[] {
  const records: SharedRecord[] = []
  let latest: Map<string, { version: number; at: number }> | undefined
  let table: CompiledTable | undefined
  for (const { table: name, subject, row } of rows) {
    if (table?.name !== name) table = mapping.tables.get(name)
    if (table === undefined) throw new Error(`the mapping of ${mapping.city} has no table ${name}`)
    const record = table.read(row, subject)
    if (table.version === undefined) {
      records.push(record)
      continue
    }
    const { of, number: version } = table.version(row)
    latest ??= new Map()
    const key = `${name} ${subject} ${of}`
    const known = latest.get(key)
    if (known !== undefined && version < known.version) continue
    if (known !== undefined && version > known.version) {
      known.version = version
      records[known.at] = record
      continue
    }
    if (known !== undefined) {
      // Which of the two is the newer cannot be told: what ends one ends both.
      const [first] = [records[known.at]]
      const state =
        recordStates[Math.max(...[first, record].map(each => recordStates.indexOf(each?.state ?? 'undetermined')))]
      if (first !== undefined && state !== undefined) {
        records[known.at] = { ...first, state }
        records.push({ ...record, state })
        continue
      }
    }
    // The first of its id, or one that cannot be told to be older or newer: neither is dropped.
    const at = records.push(record) - 1
    if (known === undefined) latest.set(key, { version, at })
  }
  return records
}

/** Gives a foreign record in our words. Pure; never throws for what the other city wrote. */
export function toLocal(record: WireRecord, mapping: CompiledMapping): LocalRecord {
  const family = mapping.vocabulary.families.get(record.family)
  const table = tableFor(record, mapping)
  const written: Record<string, string> = {}
  const meanings: Record<string, LocalRecord['meanings'][string]> = {}
  const untranslated: Untranslated[] = []

  for (const [name, value] of Object.entries(record.fields)) {
    const field = family?.fields.get(name)
    const zh = field?.zh ?? name
    const write = table?.writes.get(name)
    if (field === undefined || write === undefined) {
      const reason = table === undefined ? 'no-table' : field === undefined ? 'unknown-field' : 'no-column'
      const lost = missing(value, 'no-column', mapping.vocabulary.sets.get(field?.set ?? ''))
      untranslated.push({ field: name, zh, ...lost, reason })
      continue
    }
    const { columns, meaning, missing: lost } = write(value, record.fields)
    for (const [column, text] of Object.entries(columns)) {
      written[column] = text
      if (meaning !== undefined) meanings[column] = meaning
    }
    if (lost !== undefined) untranslated.push({ field: name, zh, ...lost })
  }

  const columns: Record<string, string> = {}
  const labels: Record<string, string> = {}
  for (const [column, label] of Object.entries(table?.labels ?? {})) {
    const text = written[column]
    if (text === undefined) continue
    columns[column] = text
    labels[column] = label
  }
  return { table: table?.name, columns, labels, meanings, untranslated }
}

function tableFor(record: WireRecord, mapping: CompiledMapping): CompiledTable | undefined {
  for (const table of mapping.tables.values()) {
    if (table.family === record.family && table.shows(record.fields)) return table
  }
  return undefined
}
