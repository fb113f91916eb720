/** A code in a key column is found in whatever spelling it stands there, and a row goes to whom its code names. */
import { Refusal, refuse } from '#protocol/refusal.ts'
import { completeUscc, readSubject } from '#protocol/subject.ts'
import type { Found, Row, Source, Table } from './source.ts'

/** As what a subject may stand in a key column: its whole code, or its organisation code (characters 9 to 17, GB 11714). */
export type KeyForm = 'code' | 'organisation' | 'organisation-hyphen'

/** Codes that stand in a table in spellings of their own: to each code, unified or of the organisation, the texts that hold it. */
export type Spellings = ReadonlyMap<string, readonly string[]>

const NONE: Spellings = new Map()

/**
 * The texts under which the subjects may stand in the key columns, and which subjects each may mean: a short one, several.
 * Few, for each is looked for in each column: what else really stands there, `learn` finds out.
 */
export function keyTexts(
  { forms, prefixes }: Table['key'],
  subjects: readonly string[],
  spellings: Spellings = NONE,
): Map<string, readonly string[]> {
  const texts = new Map<string, readonly string[]>()
  for (const subject of subjects) {
    const only = [subject]
    const mean = (text: string) => {
      const known = texts.get(text)
      if (known === undefined) texts.set(text, only)
      else if (!known.includes(subject)) texts.set(text, [...known, subject])
    }
    for (const form of forms) {
      const code = form === 'code' ? subject : subject.slice(8, 17)
      for (const text of usual(code, form, prefixes)) mean(text)
      for (const text of spellings.get(code) ?? []) mean(text)
    }
  }
  return texts
}

function usual(code: string, form: KeyForm, prefixes: readonly string[]): readonly string[] {
  if (form === 'organisation') return [code, code.toLowerCase()]
  if (form === 'organisation-hyphen') return usual(`${code.slice(0, 8)}-${code.slice(8)}`, 'organisation', [])
  const both = [code, code.toLowerCase()]
  return prefixes.length === 0 ? both : [...both, ...prefixes.flatMap(prefix => both.map(text => prefix + text))]
}

/** More odd spellings than these are no slips: the column is to be cleaned, or the text before its codes named. */
const MOST = 200_000

/**
 * Reads the key columns of the whole table for codes in spellings that nobody could list: full width, blanks of all kinds
 * around and within, a text before or behind. Throws Refusal of a source's fault where it cannot be read to its end.
 */
export async function learn(source: Source, table: Table): Promise<Spellings> {
  const { columns, forms, prefixes } = table.key
  const learned = new Map<string, string[]>()
  let count = 0
  for (const column of columns) {
    for await (const texts of source.texts(table, column)) {
      for (const text of texts) {
        if (PLAIN.test(text)) continue
        const code = codeIn(text)
        const fitting = forms.filter(form => (form === 'code') === (code?.length === 18))
        if (code === undefined || fitting.length === 0) continue
        if (fitting.some(form => usual(code, form, prefixes).includes(text))) continue
        const known = learned.get(code) ?? []
        if (known.includes(text)) continue
        learned.set(code, [...known, text])
        count += 1
        if (count > MOST) throw refuse('source.unreachable', `${table.name}.${column}: more than ${MOST} odd spellings`)
      }
    }
  }
  return learned
}

/** Most texts of most tables are just a code, and are told at a glance. */
const PLAIN = /^(?:[0-9A-Z]{18}|[0-9a-z]{18})$/

/**
 * Whose rows these are. A row whose first key column names another enterprise is left out. Throws `source.unreachable`
 * for a row that the database holds to match and we do not (a collation of its own): dropping it would pass for "nothing".
 */
export function attributed(table: Table, rows: readonly Row[], texts: ReadonlyMap<string, readonly string[]>): Found[] {
  const found: Found[] = []
  for (const row of rows) {
    for (const subject of ownersOf(row, table, texts)) found.push({ table: table.name, subject, row })
  }
  return found
}

/** A code of its own in an earlier key column says whose the row is, whatever a later column says. */
function ownersOf(row: Row, { name, key }: Table, texts: ReadonlyMap<string, readonly string[]>): readonly string[] {
  for (const [i, column] of key.columns.entries()) {
    const text = row[column]
    if (text === null || text === undefined) continue
    const exact = texts.get(text)
    if (exact !== undefined) return exact
    const code = codeIn(text)
    const subjects = texts.get(code ?? '')
    if (subjects !== undefined) return subjects
    if (i < key.columns.length - 1 && code?.length === 18) return []
  }
  throw refuse('source.unreachable', `${name}: a row matches none of the codes that were asked for`)
}

const WITHIN = /[\s\p{Cf}\p{Pd}\p{Zs}]/gu
const CODE = /(?<![0-9A-Z])(?!0{17})(?:[0-9A-Z]{18}|[0-9A-Z]{9})(?![0-9A-Z])/

/** The unified or organisation code that a text holds, however it is written and whatever stands around it. */
export function codeIn(text: string): string | undefined {
  return CODE.exec(text.normalize('NFKC').toUpperCase().replace(WITHIN, ''))?.[0]
}

/** How many rows of a table can be found by a question, counted over those that its conditions let through. */
export type KeyCount = {
  readonly rows: number
  /** Found, though the code is written otherwise than the standard writes it, or stands as an organisation code alone. */
  readonly spelled: number
  /** Hold no well-formed code of an enterprise, and are found by no question: persons, institutions, empty cells, slips of the pen. */
  readonly without: number
}

/** Reads the key columns of the whole table. Throws Refusal of a source's fault where it cannot be read to its end. */
export async function countKeys(source: Source, table: Table): Promise<KeyCount> {
  const count = { rows: 0, plain: 0, spelled: 0, without: 0 }
  for await (const row of source.keys(table)) {
    count.rows++
    count[standing(row, table.key)]++
  }
  const { plain: _, ...rest } = count
  return rest
}

function standing(row: Row, key: Table['key']): 'plain' | 'spelled' | 'without' {
  const texts = key.columns.flatMap(column => row[column] ?? [])
  const subject = subjectOf(texts, key.forms)
  if (subject === undefined) return 'without'
  return texts.includes(subject) ? 'plain' : 'spelled'
}

/** Whose the row is; undefined where nobody can ask by what stands there: another kind of code, or a slip of the pen. */
function subjectOf(texts: readonly string[], forms: readonly KeyForm[]): string | undefined {
  const codes = texts.flatMap(text => codeIn(text) ?? [])
  const whole = codes.find(code => code.length === 18)
  const short = codes.find(code => code.length === 9)
  try {
    if (whole !== undefined) return readSubject(whole).uscc
    if (short === undefined || forms.every(form => form === 'code')) return undefined
    const made = readSubject(completeUscc(`91000000${short.slice(0, 8)}`)).uscc
    return made.slice(8, 17) === short ? made : undefined
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}
