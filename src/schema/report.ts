/** A mapping's translation report: of every shared field and every column of the city, what is covered, lossy or dropped, and why. */
import { type CodeListReport, reportCodes } from './code-report.ts'
import { columnsOf, type Dates, type MappingForm, type Relation, type Rule, type TableForm } from './format.ts'
import type { Field, FieldType, Vocabulary } from './vocabulary.ts'

/**
 * `covered`: every table of the family fills the field, and each of its values goes through unchanged. `lossy`: `losses` says what
 * does not. `dropped`: no table of the city fills it.
 */
export type Outcome = 'covered' | 'lossy' | 'dropped'

/** `out`: from our rows to other cities. `in`: from other cities' records into our words. */
type Direction = 'out' | 'in'

export type Loss = {
  /** The tables of the family in which it happens alike. */
  readonly tables: readonly string[]
  readonly direction: Direction
  readonly zh: string
  readonly en: string
  /** The words or codes that the loss is about. */
  readonly words: readonly LostWord[]
}

/** `word` is the city's, `means` the shared codes with their Chinese names; empty where there is none. */
type LostWord = { readonly word: string; readonly relation: Relation; readonly means: readonly string[] }

export type FieldReport = {
  readonly field: string
  readonly zh: string
  readonly en: string
  readonly type: FieldType
  readonly required: boolean
  readonly outcome: Outcome
  /** The tables that fill it: from these columns, or with the one value that all rows have. */
  readonly from: readonly {
    readonly table: string
    readonly columns: readonly string[]
    readonly constant?: string
    readonly assumed: boolean
    readonly note?: string
  }[]
  /** The tables of the family that do not, each with the reason of the file. */
  readonly absent: readonly { readonly table: string; readonly reason: string }[]
  readonly losses: readonly Loss[]
}

export type FamilyReport = {
  readonly family: string
  readonly zh: string
  readonly en: string
  /** None: the city keeps no such records. */
  readonly tables: readonly string[]
  /** Which of other cities' records are shown in a table of ours. */
  readonly shown: 'all' | 'some' | 'none'
  /** Why not all are. */
  readonly unshown?: string
  readonly fields: readonly FieldReport[]
}

type ColumnReport = {
  readonly column: string
  readonly zh: string
  /** The shared fields that it fills. */
  readonly fields: readonly string[]
  /** What it decides; that does not travel. */
  readonly decides: readonly Decision[]
}

const decisions = [
  'key',
  'id',
  'version',
  'where',
  'freshness',
  'person',
  'state',
  'level',
  'performance',
  'publishedUntil',
  'ended',
] as const
export type Decision = (typeof decisions)[number]

export type TableReport = {
  readonly table: string
  /** The name in the database. */
  readonly database: string
  readonly source: string
  readonly zh: string
  readonly family: string
  readonly assumed: boolean
  readonly note?: string
  readonly columns: readonly ColumnReport[]
  /** Columns that are never read, each with the reason of the file. */
  readonly dropped: readonly { readonly column: string; readonly reason: string }[]
}

export type TranslationReport = {
  readonly city: string
  readonly zh: string
  readonly en: string
  readonly version: string
  readonly source: string
  /** The city has not published its tables: what stands here is a supposition. */
  readonly assumed: boolean
  readonly note?: string
  /** Dates as they are read; the first format is the one that is written. */
  readonly dates: Dates
  readonly summary: Summary
  readonly families: readonly FamilyReport[]
  readonly tables: readonly TableReport[]
  readonly codes: readonly CodeListReport[]
}

/** Counts; `fields` are those of the families that the city keeps. */
type Summary = {
  readonly fields: Readonly<Record<Outcome, number>>
  readonly columns: { readonly read: number; readonly dropped: number }
  /** Words of all code lists, on their way out. */
  readonly words: { readonly exact: number; readonly lossy: number; readonly untranslated: number }
  /** Shared codes on their way in, of the lists that are written with. */
  readonly codes: { readonly exact: number; readonly approximate: number; readonly unsaid: number }
}

/**
 * Reports on a mapping. Takes the form of one that `readMapping` takes (for another the report may be wrong, it never throws). Pure:
 * the same file and vocabulary give the same report, families in the order of the vocabulary and all else in that of the file.
 */
export function reportMapping(form: MappingForm, vocabulary: Vocabulary): TranslationReport {
  const codes = reportCodes(form, vocabulary)
  const lists = new Map(codes.map(list => [list.list, list]))
  const families = [...vocabulary.families.values()].map(family => familyReport(family, form, lists))
  const tables = Object.entries(form.tables).map(([name, table]) => tableReport(name, table))
  const { city, zh, en, version, source, note } = form
  return {
    city,
    zh,
    en,
    version,
    source,
    assumed: form.assumed ?? false,
    ...(note !== undefined && { note }),
    dates: form.dates,
    summary: summaryOf(families, tables, codes),
    families,
    tables,
    codes,
  }
}

type Family = NonNullable<ReturnType<Vocabulary['families']['get']>>
type Lists = ReadonlyMap<string, CodeListReport>

function familyReport({ code, zh, en, fields }: Family, form: MappingForm, lists: Lists): FamilyReport {
  const tables = Object.entries(form.tables).filter(([, { family }]) => family === code)
  const unshown = form.unshown[code]
  const taking = tables.filter(([, { shows }]) => shows !== false)
  return {
    family: code,
    zh,
    en,
    tables: tables.map(([name]) => name),
    shown: taking.length === 0 ? 'none' : unshown === undefined ? 'all' : 'some',
    ...(unshown !== undefined && { unshown }),
    fields: [...fields.values()].map(field => fieldReport(field, tables, form, lists)),
  }
}

function fieldReport(
  field: Field,
  tables: readonly (readonly [string, TableForm])[],
  form: MappingForm,
  lists: Lists,
): FieldReport {
  const { name, zh, en, type, required } = field
  const filled = tables.flatMap(([table, { fields }]) => {
    const rule = fields[name]
    return rule === undefined ? [] : [{ table, rule }]
  })
  const absent = tables.flatMap(([table, { absent }]) => {
    const reason = absent[name]
    return reason === undefined ? [] : [{ table, reason }]
  })
  const losses = merged(
    tables.flatMap(([table, shape]) => {
      const rule = shape.fields[name]
      return rule === undefined ? [] : lossesOf(field, rule, table, shape, form, lists)
    }),
  )
  return {
    field: name,
    zh,
    en,
    type,
    required,
    outcome: filled.length === 0 ? 'dropped' : losses.length > 0 || absent.length > 0 ? 'lossy' : 'covered',
    from: filled.map(({ table, rule }) => ({
      table,
      columns: columnsOf(rule),
      ...(rule.constant !== undefined && { constant: rule.constant }),
      assumed: rule.assumed ?? false,
      ...(rule.note !== undefined && { note: rule.note }),
    })),
    absent,
    losses,
  }
}

/** Tables that read alike lose alike, and it is said once. */
function merged(losses: readonly Loss[]): readonly Loss[] {
  const alike = Map.groupBy(losses, ({ tables: _, ...loss }) => JSON.stringify(loss))
  return [...alike.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : { ...first, tables: [first, ...others].flatMap(({ tables }) => tables) },
  )
}

/** What the rule of one table loses; nothing comes in where a table shows no foreign record. */
function lossesOf(
  field: Field,
  rule: Rule,
  table: string,
  shape: TableForm,
  form: MappingForm,
  lists: Lists,
): readonly Loss[] {
  const losses: Loss[] = []
  const lose = (direction: Direction, zh: string, en: string, words: readonly LostWord[] = []) => {
    losses.push({ tables: [table], direction, zh, en, words })
  }
  const comesIn = shape.shows !== false
  const used = listsUsed(rule, lists)

  const vague = used.flatMap(({ out }) => out.filter(({ outcome }) => outcome !== 'exact'))
  if (vague.length > 0) {
    const words = vague.flatMap(({ words, relation, codes }) =>
      words.map(word => ({ word, relation, means: codes.map(({ code, zh }) => `${code} ${zh}`) })),
    )
    lose('out', '这些词语不与一个共享代码完全对应', 'these words are not exactly one shared code', words)
  }
  if (rule.take === 'first') {
    lose(
      'out',
      `几列都有内容时只取第一列：${columnsOf(rule).join('、')}`,
      `where several of the columns are filled, the first counts: ${columnsOf(rule).join(', ')}`,
    )
  }
  if (!comesIn) return losses

  const takes = codesTaken(field, shape)
  const distant = used.flatMap(({ in: codes }) =>
    (codes ?? []).filter(({ outcome, code }) => outcome !== 'exact' && (takes === undefined || takes.includes(code))),
  )
  if (distant.length > 0) {
    const words = distant.map(({ word = '', relation, code, zh }) => ({ word, relation, means: [`${code} ${zh}`] }))
    lose('in', '这些共享代码没有完全对应的本市词语', 'no word of the city means exactly these shared codes', words)
  }
  const only = takes?.length === 1 && takes[0] === rule.constant
  if (rule.constant !== undefined && !only) {
    lose(
      'in',
      `本表每行都是“${rule.constant}”，其他值没有列`,
      `every row of the table is ${rule.constant}; another value has no column`,
    )
  }
  if (rule.take === 'join') {
    const [first = ''] = columnsOf(rule)
    lose('in', `几列合成的内容全部写入 ${first}`, `what several columns hold together is all written into ${first}`)
  }
  if (field.type === 'codes' && rule.split === undefined && rule.constant === undefined) {
    const room = columnsOf(rule).length
    lose('in', `只有 ${room} 个代码的位置，其余写不下`, `there is room for ${room} of several codes, not for the rest`)
  }
  if (field.type === 'date' && (rule.dates ?? form.dates).indefinite.length === 0) {
    lose('in', '本市没有表示“长期”的写法', 'the city has no word for a date without end')
  }
  return losses
}

function listsUsed({ codes }: Rule, lists: Lists): readonly CodeListReport[] {
  const names = codes === undefined ? [] : typeof codes === 'string' ? [codes] : Object.values(codes.lists)
  return [...new Set(names)].flatMap(name => lists.get(name) ?? [])
}

/** The codes with which a record can come into the table at all; undefined where every code can. */
function codesTaken(field: Field, { shows }: TableForm): readonly string[] | undefined {
  return typeof shows === 'object' && shows.field === field.name ? shows.codes : undefined
}

function tableReport(name: string, table: TableForm): TableReport {
  const { source, zh, family, note } = table
  const filling = Object.entries(table.fields).map(([field, rule]) => ({ field, columns: columnsOf(rule) }))
  const deciding = columnsDeciding(table)
  return {
    table: name,
    database: table.table ?? name,
    source,
    zh,
    family,
    assumed: table.assumed ?? false,
    ...(note !== undefined && { note }),
    columns: Object.entries(table.columns)
      .filter(([column]) => !Object.hasOwn(table.ignored, column))
      .map(([column, label]) => ({
        column,
        zh: label,
        fields: filling.filter(({ columns }) => columns.includes(column)).map(({ field }) => field),
        decides: decisions.filter(each => deciding[each].includes(column)),
      })),
    dropped: Object.entries(table.ignored).map(([column, reason]) => ({ column, reason })),
  }
}

function columnsDeciding(table: TableForm): Readonly<Record<Decision, readonly string[]>> {
  const { key, id, version, where, freshness, person, state, level, performance, publishedUntil, ended } = table
  return {
    key: key.columns,
    id: 'digest' in id ? id.digest : id.columns,
    version: version === undefined ? [] : [version],
    where: where.map(({ column }) => column),
    freshness: freshness === undefined ? [] : [freshness.column],
    person: columnsOf(person),
    state: state.flatMap(columnsOf),
    level: columnsOf(level),
    performance: performance === undefined ? [] : columnsOf(performance),
    publishedUntil: publishedUntil === undefined ? [] : columnsOf(publishedUntil),
    ended: ended === undefined ? [] : columnsOf(ended),
  }
}

function summaryOf(
  families: readonly FamilyReport[],
  tables: readonly TableReport[],
  codes: readonly CodeListReport[],
): Summary {
  const fields = families.flatMap(family => (family.tables.length === 0 ? [] : family.fields))
  const words = codes.flatMap(({ out }) => out.flatMap(({ words, outcome }) => words.map(() => outcome)))
  const written = codes.flatMap(list => list.in ?? [])
  const count = <T>(all: readonly T[], test: (each: T) => boolean) => all.filter(test).length
  const exact = count(words, outcome => outcome === 'exact')
  const untranslated = count(words, outcome => outcome === 'untranslated')
  return {
    fields: {
      covered: count(fields, ({ outcome }) => outcome === 'covered'),
      lossy: count(fields, ({ outcome }) => outcome === 'lossy'),
      dropped: count(fields, ({ outcome }) => outcome === 'dropped'),
    },
    columns: {
      read: tables.reduce((sum, { columns }) => sum + columns.length, 0),
      dropped: tables.reduce((sum, { dropped }) => sum + dropped.length, 0),
    },
    words: { exact, lossy: words.length - exact - untranslated, untranslated },
    codes: {
      exact: count(written, ({ outcome }) => outcome === 'exact'),
      approximate: count(written, ({ outcome }) => outcome === 'approximate'),
      unsaid: count(written, ({ outcome }) => outcome === 'unsaid'),
    },
  }
}
