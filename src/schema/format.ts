/** The form of a city's mapping file: everything a city may say about its tables, and nothing else. */
import { z } from 'zod'
import { CityId, Code } from '#protocol/message.ts'
import { spellings } from './spelling.ts'

const text = z.string().min(1).max(400)
const assumed = z.literal(true).optional()
const identifier = /[\p{L}_][\p{L}\p{N}_$]{0,62}/u.source
/** Names are checked here so that the source room can quote them without a doubt. */
const Column = z.string().regex(new RegExp(`^${identifier}$`, 'u'), 'not the name of a column')
export const tableName = new RegExp(`^${identifier}(\\.${identifier})?$`, 'u')
const TableName = z.string().regex(tableName, 'not the name of a table')

/** A pattern for dates. ` *` at the end stands for a time of day that is passed over. */
export const dateFormats = [
  'YYYY-MM-DD',
  'YYYY/MM/DD',
  'YYYY.MM.DD',
  'YYYYMMDD',
  'YYYY-M-D',
  'YYYY/M/D',
  'YYYY年M月D日',
  'YYYY-MM-DD *',
  'YYYY/MM/DD *',
  'YYYY-M-D *',
  'YYYY/M/D *',
  'YYYYMMDD*',
] as const
export type DateFormat = (typeof dateFormats)[number]

/** `none` and `indefinite` are whole texts, or days YYYY-MM-DD that stand for the same day in every format. */
const Dates = z.strictObject({
  formats: z.array(z.enum(dateFormats)).min(1),
  none: z.array(text).default([]),
  indefinite: z.array(text).default([]),
})
export type Dates = z.infer<typeof Dates>

/** How the local word stands to the shared code: the same; within it (says more); around it (says less); across; nothing. */
export const relations = ['exact', 'narrower', 'broader', 'overlapping', 'none'] as const
export type Relation = (typeof relations)[number]

const dated = { validFrom: z.iso.date().optional(), validTo: z.iso.date().optional() }

/** A local code list. `write` only has to name the shared codes that no local word means exactly. */
const CodeList = z.strictObject({
  zh: text,
  source: text,
  set: Code,
  /** Of the set rating-levels, the one scheme whose levels the list has. */
  within: Code.optional(),
  read: z
    .array(
      z.strictObject({
        words: z.array(text).min(1),
        relation: z.enum(relations),
        codes: z.array(Code).max(16).default([]),
        reason: text.optional(),
        ...dated,
      }),
    )
    .min(1),
  write: z.union([
    z.array(
      z.strictObject({ code: Code, relation: z.enum(relations), word: text.optional(), reason: text.optional() }),
    ),
    z.literal('never'),
  ]),
  assumed,
  note: text.optional(),
})
export type CodeList = z.infer<typeof CodeList>

/** How one value is made from a row. */
const Rule = z.strictObject({
  column: Column.optional(),
  columns: z.array(Column).min(2).max(8).optional(),
  /** first: the first that is not empty; join: all, with `join` between; all: the codes of all of them. */
  take: z.enum(['first', 'join', 'all']).optional(),
  join: z.string().max(8).optional(),
  /** A text, or for a coded field a shared code: every row of the table has it. */
  constant: text.optional(),
  /** The local text that an empty column stands for. */
  default: text.optional(),
  strip: z.strictObject({ prefixes: z.array(text).default([]), suffixes: z.array(text).default([]) }).optional(),
  /** Texts that mean "nothing" in this column, besides those of the whole city. */
  none: z.array(z.string().max(100)).optional(),
  codes: z.union([text, z.strictObject({ by: Code, lists: z.record(Code, text) })]).optional(),
  split: z.array(z.string().min(1).max(4)).min(1).optional(),
  /** The date field of the same record by which dated words of the list are chosen. */
  asOf: Code.optional(),
  unit: z.enum(['yuan', '10000-yuan']).optional(),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .optional(),
  dates: Dates.optional(),
  /** How the column writes codes that all others write otherwise. */
  spelling: z.enum(spellings).optional(),
  assumed,
  note: text.optional(),
})
export type Rule = z.infer<typeof Rule>

/** A gate fact read from a coded column; or the same for every row, with the reason. */
const Fact = z.union([
  z.strictObject({ column: Column, codes: text, default: text.optional(), assumed, note: text.optional() }),
  z.strictObject({ constant: text, reason: text, assumed }),
])
export type Fact = z.infer<typeof Fact>

const TableForm = z.strictObject({
  /** Which of the city's databases holds it, where there are several (city and county, three libraries). */
  source: Code.default('city'),
  /** The name in the database, where it is not the name under which the table stands here. */
  table: TableName.optional(),
  zh: text,
  family: Code,
  /** Every column that is read, with its Chinese label; the others are not selected at all. */
  columns: z.record(Column, text),
  /** Columns of the table that are left where they are, with the reason. */
  ignored: z.record(Column, text).default({}),
  /**
   * Rows that count: a column holds one of the texts, or none of them, or nothing at all (no text, or one that means
   * nothing to the city). All conditions hold together.
   */
  where: z
    .array(
      z.strictObject({
        column: Column,
        in: z.array(text).min(1).optional(),
        notIn: z.array(text).min(1).optional(),
        empty: z.boolean().optional(),
      }),
    )
    .default([]),
  key: z.strictObject({
    columns: z.array(Column).min(1).max(4),
    forms: z
      .array(z.enum(['code', 'organisation', 'organisation-hyphen']))
      .min(1)
      .default(['code']),
    prefixes: z.array(text).max(4).default([]),
  }),
  /** Where a foreign record of the family is shown: in the first table of the file that takes it. */
  shows: z.union([z.boolean(), z.strictObject({ field: Code, codes: z.array(Code).min(1) })]),
  id: z.union([
    z.strictObject({ prefix: z.string().regex(/^[A-Za-z0-9_-]{1,24}$/), columns: z.array(Column).min(1).max(4) }),
    z.strictObject({ digest: z.array(Column).min(1) }),
  ]),
  /** Of several rows with one id, only that with the highest number is read. */
  version: Column.optional(),
  person: Fact,
  state: z.array(Fact).min(1),
  level: Fact,
  publishedUntil: Rule.optional(),
  /** 移出日期: from that day on the record is over. */
  ended: Rule.optional(),
  /** 整改和履行情况: whether what the record demands was done. Absent: it is taken as done. */
  performance: Fact.optional(),
  freshness: z
    .strictObject({
      column: Column,
      /** One format only, and one that sorts as text: the newest is found by comparing texts. */
      format: z.enum(['YYYY-MM-DD', 'YYYY/MM/DD', 'YYYYMMDD', 'YYYY-MM-DD *', 'YYYY/MM/DD *']),
      maxAge: z.string().regex(/^P[1-9][0-9]{0,3}D$/, 'not a number of days such as P14D'),
    })
    .optional(),
  fields: z.record(Code, Rule),
  /** The shared fields of the family that the table does not have, with the reason. */
  absent: z.record(Code, text).default({}),
  assumed,
  note: text.optional(),
})
export type TableForm = z.infer<typeof TableForm>

export const MappingForm = z.strictObject({
  city: CityId,
  zh: text,
  en: text,
  version: text,
  source: text,
  /** The city has not published its tables: what stands here is a supposition. */
  assumed,
  note: text.optional(),
  /** Texts that mean "nothing" in every column. An empty text always does. */
  none: z.array(z.string().max(100)).default([]),
  dates: Dates,
  /** Families of which some or all foreign records are shown in none of our tables, with the reason. */
  unshown: z.record(Code, text).default({}),
  codes: z.record(Code, CodeList),
  /** By a name of ours; it is the database's name too unless the table states another. */
  tables: z.record(z.string().regex(/^[\p{L}_][\p{L}\p{N}_$.-]{0,62}$/u), TableForm),
})
export type MappingForm = z.infer<typeof MappingForm>

/** The columns a rule reads. */
export function columnsOf(rule: Rule | Fact): readonly string[] {
  if ('columns' in rule && rule.columns !== undefined) return rule.columns
  return 'column' in rule && rule.column !== undefined ? [rule.column] : []
}

/** The columns that a row of the table has to hold for it to be read, each once, in the order of the file. */
export function rowColumns(form: TableForm): readonly string[] {
  const rules = [
    ...Object.values(form.fields),
    form.person,
    ...form.state,
    form.level,
    form.performance,
    form.publishedUntil,
    form.ended,
  ]
  const used = new Set([
    ...form.key.columns,
    ...('digest' in form.id ? form.id.digest : form.id.columns),
    ...(form.version === undefined ? [] : [form.version]),
    ...rules.flatMap(rule => (rule === undefined ? [] : columnsOf(rule))),
  ])
  return Object.keys(form.columns).filter(column => used.has(column))
}
