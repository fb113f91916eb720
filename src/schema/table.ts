/** One table of a mapping, compiled: what the source has to select, and how a row of it becomes a shared record. */
import { digestId, isRecordId, type Value } from '#protocol/message.ts'
import type { SubjectKind } from '#protocol/subject.ts'
import { instantReader } from './date.ts'
import { type Fact, rowColumns, type TableForm } from './format.ts'
import { codeOf, type ReadValue } from './read.ts'
import { type RecordState, recordStates, type SharedRecord, shareLevels } from './record.ts'
import type { Compiler } from './rule.ts'
import type { LocalRow, ReadText } from './text.ts'
import type { Field, Vocabulary } from './vocabulary.ts'
import { missing, type WriteValue } from './write.ts'

export type CompiledTable = {
  readonly name: string
  readonly zh: string
  readonly family: string
  readonly assumed: boolean

  // What the source room needs, in its own terms (source/source.ts, type Table), and which source it is.
  readonly source: string
  readonly table: string
  readonly columns: readonly string[]
  readonly key: Pick<Required<TableForm['key']>, 'columns' | 'forms' | 'prefixes'>
  readonly where: readonly {
    readonly column: string
    readonly in?: readonly string[]
    readonly notIn?: readonly string[]
    readonly empty?: boolean
    readonly none?: readonly string[]
  }[]
  readonly freshness?: {
    readonly column: string
    readonly maxAgeSeconds: number
    readonly instant: (text: string) => string | undefined
  }

  readonly read: (row: LocalRow, subject: string) => SharedRecord
  /**
   * Which record a row is a version of, and its number; undefined where the table has no versions. A row about a person is
   * a version too: the newest may be the one that says so.
   */
  readonly version: ((row: LocalRow) => { readonly of: string; readonly number: number }) | undefined

  /** Chinese labels of the columns, in the order of the file. */
  readonly labels: Readonly<Record<string, string>>
  readonly writes: ReadonlyMap<string, WriteValue>
  /** Whether a foreign record is shown in this table. */
  readonly shows: (fields: Readonly<Record<string, Value>>) => boolean
}

/** Compiles a table of a checked mapping. */
export function compileTable(name: string, form: TableForm, rules: Compiler, vocabulary: Vocabulary): CompiledTable {
  const family = vocabulary.families.get(form.family)
  const mapped = fieldsInOrder(form, family?.fields ?? new Map())
  const { freshness, version } = form
  return {
    name,
    zh: form.zh,
    family: form.family,
    assumed: form.assumed ?? false,
    source: form.source,
    table: form.table ?? name,
    columns: rowColumns(form),
    key: form.key,
    where: form.where.map(({ column, in: among, notIn, empty }) => ({
      column,
      ...(among !== undefined && { in: among }),
      ...(notIn !== undefined && { notIn }),
      ...(empty !== undefined && { empty, none: rules.none }),
    })),
    ...(freshness !== undefined && {
      freshness: {
        column: freshness.column,
        maxAgeSeconds: Temporal.Duration.from(freshness.maxAge).total('seconds'),
        instant: instantReader(freshness.format),
      },
    }),
    read: rowReader(name, form, mapped, rules, family),
    version: version === undefined ? undefined : versionReader(version, idReader(name, form.id, rules)),
    labels: form.columns,
    writes: writersOf(mapped, rules, vocabulary),
    shows: shown(form.shows),
  }
}

/** Fields on which another depends (the scheme of a level, the date of a dated word) are read before it. */
function fieldsInOrder(form: TableForm, fields: ReadonlyMap<string, Field>) {
  const mapped = Object.entries(form.fields).flatMap(([name, rule]) => {
    const field = fields.get(name)
    return field === undefined ? [] : [[field, rule] as const]
  })
  const rank = (rule: (typeof mapped)[number][1]) =>
    (typeof rule.codes === 'object' ? 2 : 0) + (rule.asOf === undefined ? 0 : 1)
  return mapped.toSorted(([, a], [, b]) => rank(a) - rank(b))
}

function versionReader(column: string, id: (row: LocalRow) => string): NonNullable<CompiledTable['version']> {
  return row => ({ of: id(row), number: Number(row[column] ?? Number.NaN) })
}

type Mapped = ReturnType<typeof fieldsInOrder>

/** Where one field chooses the list of another (the scheme of a level), neither is written without the other. */
function writersOf(mapped: Mapped, rules: Compiler, vocabulary: Vocabulary): CompiledTable['writes'] {
  const writes = new Map(mapped.map(([field, rule]) => [field.name, rules.write(rule, field)]))
  for (const [{ name, set = '' }, { codes }] of mapped) {
    const chooser = typeof codes === 'object' ? codes.by : undefined
    const [choose, write] = [writes.get(chooser ?? ''), writes.get(name)]
    if (chooser === undefined || choose === undefined || write === undefined) continue
    const terms = vocabulary.sets.get(set)
    writes.set(name, (value, all) => {
      const chosen = all[chooser]
      const said = chosen !== undefined && choose(chosen, all).missing === undefined
      return said ? write(value, all) : { columns: {}, missing: missing(value, 'no-word', terms) }
    })
  }
  return writes
}

function rowReader(
  table: string,
  form: TableForm,
  mapped: Mapped,
  rules: Compiler,
  family: { readonly listField: string | undefined; readonly schemeField: string | undefined } | undefined,
): CompiledTable['read'] {
  const names = mapped.map(([field]) => field.name)
  const values = mapped.map(([field, rule]): ReadValue => rules.value(rule, field))
  const person = personReader(form.person, rules)
  const states = form.state.map(fact => stateReader(fact, rules))
  const level = levelReader(form.level, rules)
  const published = form.publishedUntil && rules.day(form.publishedUntil)
  const ended = form.ended && rules.day(form.ended)
  const performance = form.performance && factReader(form.performance, rules)
  const id = idReader(table, form.id, rules)
  const { listField = '', schemeField = '' } = family ?? {}

  return (row, subject) => {
    const aboutPerson = person(row)
    const fields: Record<string, Value> = {}
    if (aboutPerson !== true) {
      for (let i = 0; i < names.length; i++) {
        const value = values[i]?.(row, fields)
        if (value !== undefined) fields[names[i] ?? ''] = value
      }
    }
    const publishedUntil = published?.(row)
    const endedOn = ended?.(row)
    let state: RecordState = publishedUntil === undefined && published !== undefined ? 'undetermined' : 'normal'
    if (endedOn === undefined && ended !== undefined) state = 'undetermined'
    // Taken off, and not said when: it is over.
    const taken = fields['removalReason'] ?? fields['removalAuthority']
    if (ended !== undefined && taken !== undefined && (endedOn ?? 'indefinite') === 'indefinite')
      state = graver(state, 'ended')
    for (const read of states) state = graver(state, read(row))
    const record: SharedRecord = {
      id: aboutPerson === true ? 'person' : id(row),
      family: form.family,
      fields,
      subject,
      kind: kindOf(subject),
      aboutPerson,
      level: level(row),
      state,
      publishedUntil: publishedUntil ?? undefined,
      endedOn: endedOn ?? undefined,
      list: codeOf(fields[listField]),
      scheme: codeOf(fields[schemeField]),
    }
    return performance !== undefined && isUndone(performance(row)) ? { ...record, uncorrected: true } : record
  }
}

type ReadCodes = (row: LocalRow) => readonly string[] | undefined

/** The shared codes that a row's column may mean; undefined for a word outside the list. */
function factReader(fact: Fact, rules: Compiler): ReadCodes {
  if ('constant' in fact) {
    const constant = [fact.constant]
    return () => constant
  }
  const { column, default: fallback } = fact
  const text: ReadText = rules.text({ column, default: fallback })
  const list = rules.codes(fact.codes)
  return row => {
    const word = text(row)
    return word === undefined ? undefined : list.read(word, undefined)?.codes
  }
}

function personReader(fact: Fact, rules: Compiler): (row: LocalRow) => boolean | 'undetermined' {
  const read = factReader(fact, rules)
  return row => {
    const kinds = read(row)
    if (kinds === undefined) return 'undetermined'
    return kinds.includes('person') ? kinds.length === 1 || 'undetermined' : false
  }
}

function stateReader(fact: Fact, rules: Compiler): (row: LocalRow) => RecordState {
  return judged(factReader(fact, rules), codes => {
    if (codes === undefined) return 'undetermined'
    let worst: RecordState = 'normal'
    for (const state of recordStates) if (codes.includes(state)) worst = state
    return worst
  })
}

/** What is made of the codes of a word: the words of a list are few, and each has its one array of codes. */
function judged<T>(read: ReadCodes, judge: (codes: readonly string[] | undefined) => T): (row: LocalRow) => T {
  const known = new WeakMap<readonly string[], T>()
  const unknown = judge(undefined)
  return row => {
    const codes = read(row)
    if (codes === undefined) return unknown
    const before = known.get(codes)
    if (before !== undefined) return before
    const made = judge(codes)
    known.set(codes, made)
    return made
  }
}

/** Only a word that means nothing else says so: it keeps a record public for longer. */
function isUndone(codes: readonly string[] | undefined): boolean {
  return codes?.length === 1 && codes[0] === 'not-performed'
}

/** Of several levels that a word may mean, the most closed one holds. Only a word that is declared to have none says so. */
function levelReader(fact: Fact, rules: Compiler): (row: LocalRow) => SharedRecord['level'] {
  const levelOf = judged(
    factReader(fact, rules),
    codes => codes && shareLevels.findLast(level => codes.includes(level)),
  )
  if ('constant' in fact) return levelOf
  const text = rules.text({ column: fact.column, default: fact.default })
  const list = rules.codes(fact.codes)
  return row => {
    const level = levelOf(row)
    if (level !== undefined) return level
    const word = text(row)
    return word !== undefined && list.isNone(word) ? undefined : 'undetermined'
  }
}

function graver(a: RecordState, b: RecordState): RecordState {
  if (b === 'normal') return a
  return recordStates.indexOf(a) >= recordStates.indexOf(b) ? a : b
}

/** An id from columns reads `prefix-value`; where one is empty, or all are too long for the wire, a digest takes its place. */
function idReader(table: string, form: TableForm['id'], rules: Compiler): (row: LocalRow) => string {
  const names = 'digest' in form ? form.digest : form.columns
  const texts = names.map(column => rules.text({ column }))
  if ('digest' in form) {
    return row => {
      let parts = table
      for (const text of texts) parts += `\0${text(row) ?? ''}`
      return digestId(parts)
    }
  }
  return row => {
    let id = form.prefix
    for (const text of texts) {
      const part = text(row)
      if (part === undefined) return digestId([table, ...Object.values(row)].join('\0'))
      id += `-${part}`
    }
    // What does not fit the wire, or is shaped like a person's number, travels as a digest of itself.
    return isRecordId(id) ? id : digestId(`${table}\0${id}`)
  }
}

const kinds: readonly (SubjectKind | undefined)[] = [undefined, 'enterprise', 'individual-business', 'cooperative']

/** The kind is in the code itself; a column that says otherwise does not change it. */
function kindOf(subject: string): SubjectKind | undefined {
  return subject.charCodeAt(0) === 0x39 ? kinds[subject.charCodeAt(1) - 0x30] : undefined
}

function shown(shows: TableForm['shows']): CompiledTable['shows'] {
  if (typeof shows === 'boolean') return () => shows
  const { field, codes } = shows
  return fields => {
    const value = fields[field]
    if (typeof value !== 'object') return false
    if ('code' in value) return codes.includes(value.code)
    return 'codes' in value && value.codes.every(code => codes.includes(code))
  }
}
