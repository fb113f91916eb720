/** A row's text becomes a shared value, or is carried as it stands: the reading half of a mapping's rules. */
import type { Value } from '#protocol/message.ts'
import type { Codes, Meaning } from './codes.ts'
import { dayReader } from './date.ts'
import type { Dates, Rule } from './format.ts'
import { amountIn } from './money.ts'
import { shareSpelling } from './spelling.ts'
import type { LocalRow, ReadText } from './text.ts'
import type { Field, Term } from './vocabulary.ts'

/** `earlier` holds the fields of the record that were read before this one. */
export type ReadValue = (row: LocalRow, earlier: Readonly<Record<string, Value>>) => Value | undefined

/** What the wire carries of one text, and of one original (protocol/message.ts). */
const TEXT_LIMIT = 8192
const ORIGINAL_LIMIT = 4096

/** Compiles a rule into what it makes of a row. */
export function valueReader(
  rule: Rule,
  field: Field,
  text: ReadText,
  dates: Dates,
  codes: (name: string) => Codes,
  terms: ReadonlyMap<string, Term> | undefined,
): ReadValue {
  if (rule.constant !== undefined) return constantReader(rule.constant, field, terms)
  switch (field.type) {
    case 'text': {
      const { spelling } = rule
      if (spelling !== undefined) {
        return row => {
          const stated = text(row)
          return stated === undefined ? undefined : cut(shareSpelling(stated, spelling), TEXT_LIMIT)
        }
      }
      return row => {
        const stated = text(row)
        return stated === undefined || stated.length <= TEXT_LIMIT ? stated : cut(stated, TEXT_LIMIT)
      }
    }
    case 'date': {
      const read = dayReader(dates)
      return row => {
        const stated = text(row)
        if (stated === undefined) return undefined
        const day = read(stated)
        return day === undefined ? untranslated(stated) : (day ?? undefined)
      }
    }
    case 'decimal':
      return row => {
        const stated = text(row)
        return stated === undefined ? undefined : (amountIn(stated, 'yuan') ?? untranslated(stated))
      }
    case 'money': {
      const { unit = 'yuan', currency = 'CNY' } = rule
      return row => {
        const stated = text(row)
        if (stated === undefined) return undefined
        const amount = amountIn(stated, unit)
        return amount === undefined ? untranslated(stated) : { amount, currency, unit: '1' }
      }
    }
    case 'code':
    case 'codes':
      return codedReader(rule, field.type === 'codes', text, codes)
  }
}

/** No word of a row says a constant, so that its shared name has to stand for the original. */
function constantReader(constant: string, field: Field, terms: ReadonlyMap<string, Term> | undefined): ReadValue {
  const original = terms?.get(constant)?.zh ?? constant
  const value: Value =
    field.type === 'code'
      ? { code: constant, original }
      : field.type === 'codes'
        ? { codes: [constant], original }
        : constant
  return () => value
}

/**
 * Values of undated lists are made once for each word and then shared by all records: they are never changed, and a
 * batch of hundreds of records has but a few words.
 */
function codedReader(rule: Rule, many: boolean, text: ReadText, codes: (name: string) => Codes): ReadValue {
  const { codes: named, asOf } = rule
  const { by, lists } = listsOf(named, codes)
  const parts = splitter(rule)

  const read = (stated: string, list: Codes, on: string | undefined): Value => {
    if (rule.split === undefined) {
      const meaning = list.read(stated, on)
      const [only, ...others] = meaning?.codes ?? []
      if (only !== undefined && others.length === 0 && meaning?.certain && !many) {
        return { code: only, original: cut(stated, ORIGINAL_LIMIT) }
      }
    }
    const meanings = meaningsOf(parts(stated), list, on)
    return meanings === undefined ? untranslated(stated) : coded(meanings, stated, many)
  }

  const [sole] = lists.values()
  if (by === undefined && sole !== undefined && !sole.dated) {
    const made = new Map<string, Value>()
    return row => {
      const stated = text(row)
      if (stated === undefined) return undefined
      const known = made.get(stated)
      if (known !== undefined) return known
      const value = read(stated, sole, undefined)
      // Bounded, or a column of free text would fill the memory.
      if (made.size < 1024) made.set(stated, value)
      return value
    }
  }
  const made = new Map([...lists.values()].map(list => [list, new Map<string, Value>()]))
  return (row, earlier) => {
    const stated = text(row)
    if (stated === undefined) return undefined
    const list = lists.get(by === undefined ? '' : (codeOf(earlier[by]) ?? ''))
    if (list === undefined) return untranslated(stated)
    if (list.dated) return read(stated, list, asOf === undefined ? undefined : dayOf(earlier[asOf]))
    const known = made.get(list)
    const value = known?.get(stated)
    if (value !== undefined) return value
    const fresh = read(stated, list, undefined)
    // Bounded, or a column of free text would fill the memory.
    if (known !== undefined && known.size < 1024) known.set(stated, fresh)
    return fresh
  }
}

/** The words of a column: one, or several between any of the separators. */
export function splitter(rule: Rule): (stated: string) => readonly string[] {
  if (rule.split === undefined) return stated => [stated]
  const between = new RegExp(rule.split.map(separator => RegExp.escape(separator)).join('|'))
  return stated =>
    stated
      .split(between)
      .map(part => part.trim())
      .filter(part => part !== '')
}

/** What the words mean together; undefined where one of them has no meaning, for then the whole is not known. */
export function meaningsOf(
  words: readonly string[],
  list: Codes,
  on: string | undefined,
): readonly Meaning[] | undefined {
  const meanings: Meaning[] = []
  for (const word of words) {
    const meaning = list.read(word, on)
    if (meaning === undefined) return undefined
    meanings.push(meaning)
  }
  return meanings
}

export function listsOf(named: Rule['codes'], codes: (name: string) => Codes) {
  if (named === undefined) return { by: undefined, lists: new Map<string, Codes>() }
  if (typeof named === 'string') return { by: undefined, lists: new Map([['', codes(named)]]) }
  return { by: named.by, lists: new Map(Object.entries(named.lists).map(([code, list]) => [code, codes(list)])) }
}

function coded(meanings: readonly Meaning[], stated: string, many: boolean): Value {
  const all = [...new Set(meanings.flatMap(({ codes }) => codes))]
  const certain = meanings.every(meaning => meaning.certain)
  const [only] = all
  if (only === undefined || all.length > 16) return untranslated(stated)
  const original = cut(stated, ORIGINAL_LIMIT)
  if (!certain) return { ambiguous: true, codes: all, original }
  return many || all.length > 1 ? { codes: all, original } : { code: only, original }
}

/** The code of a value that is certain of one; undefined for any other value. */
export function codeOf(value: Value | undefined): string | undefined {
  return typeof value === 'object' && 'code' in value ? value.code : undefined
}

export function dayOf(value: Value | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function untranslated(stated: string): Value {
  return { untranslated: cut(stated, ORIGINAL_LIMIT) }
}

/** The wire has no room for more; the ellipsis says that something is missing. A character is never cut in two. */
function cut(text: string, limit: number): string {
  return text.length <= limit
    ? text
    : `${text
        .slice(0, limit - 1)
        .toWellFormed()
        .replace(/�$/, '')}…`
}
