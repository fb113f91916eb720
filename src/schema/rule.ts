/** One rule of a mapping as two closures: a row's text into a shared value, and a shared value into our column. */
import type { Value } from '#protocol/message.ts'
import { type Codes, compileCodes, type Meaning } from './codes.ts'
import { dayReader, dayWriter } from './date.ts'
import type { CodeList, Dates, MappingForm, Relation, Rule } from './format.ts'
import { amountIn, amountOut } from './money.ts'
import type { Day } from './record.ts'
import type { Field, Term, Vocabulary } from './vocabulary.ts'

export type LocalRow = Readonly<Record<string, string | null>>
/** The cleaned text of a row's column; undefined where it means "nothing". */
export type ReadText = (row: LocalRow) => string | undefined
/** `earlier` holds the fields of the record that were read before this one. */
export type ReadValue = (row: LocalRow, earlier: Readonly<Record<string, Value>>) => Value | undefined

/** What a value becomes in our columns. `missing` are parts for which we have no word. */
export type Written = {
  readonly columns: Readonly<Record<string, string>>
  readonly meaning?: { readonly original: string; readonly relation: Relation }
  readonly missing?: Missing
}
export type Missing = {
  readonly original: string
  readonly meaning?: string
  readonly reason: 'no-column' | 'no-word' | 'ambiguous' | 'not-translated-there' | 'not-understood'
}
/** `all` are the fields of the foreign record, of which some decide how another is read (the scheme of a level). */
export type WriteValue = (value: Value, all: Readonly<Record<string, Value>>) => Written

/** What the wire carries of one text, and of one original (protocol/message.ts). */
const TEXT_LIMIT = 8192
const ORIGINAL_LIMIT = 4096

export type Compiler = {
  readonly text: (rule: Rule) => ReadText
  readonly day: (rule: Rule) => (row: LocalRow) => Day | null | undefined
  readonly value: (rule: Rule, field: Field) => ReadValue
  readonly write: (rule: Rule, field: Field) => WriteValue
  readonly codes: (list: string) => Codes
}

/** Compiles the rules of one checked mapping. The code lists are compiled once for all of them. */
export function compiler(form: MappingForm, vocabulary: Vocabulary): Compiler {
  const lists = new Map(Object.entries(form.codes).map(([name, list]) => [name, compileCodes(list)]))
  const codes = (name: string) => lists.get(name) ?? compileCodes(EMPTY)
  const text = (rule: Rule) => textReader(rule, form.none)
  return {
    text,
    codes,
    day: rule => factDay(text(rule), dayReader(rule.dates ?? form.dates)),
    value: (rule, field) => valueReader(rule, field, text(rule), rule.dates ?? form.dates, codes),
    write: (rule, field) => valueWriter(rule, field, rule.dates ?? form.dates, codes, vocabulary),
  }
}

const EMPTY: CodeList = { zh: '-', source: '-', set: '-', read: [], write: 'never' }

/** Compiles the columns of a rule into the text they hold together. */
function textReader(rule: Rule, cityNone: readonly string[]): ReadText {
  const isNone = oneOf([...cityNone, ...(rule.none ?? [])].map(word => word.trim()))
  const { prefixes = [], suffixes = [] } = rule.strip ?? {}
  const noisy = prefixes.length + suffixes.length > 0
  const clean = (raw: string | null | undefined): string | undefined => {
    if (raw === null || raw === undefined || raw === '') return undefined
    let text = trimmed(raw)
    if (noisy) text = stripped(text, prefixes, suffixes)
    return text === '' || isNone(text) ? undefined : text
  }

  const { column, columns = [], take, default: fallback } = rule
  if (column !== undefined) return row => clean(row[column]) ?? fallback
  if (take === 'first') {
    return row => {
      for (const name of columns) {
        const text = clean(row[name])
        if (text !== undefined) return text
      }
      return fallback
    }
  }
  const separator = take === 'all' ? (rule.split?.[0] ?? ' ') : (rule.join ?? ' ')
  return row => {
    let joined: string | undefined
    for (const name of columns) {
      const text = clean(row[name])
      if (text !== undefined) joined = joined === undefined ? text : joined + separator + text
    }
    return joined ?? fallback
  }
}

/** Almost no text has blanks around it, and to look at two characters costs less than to trim. */
function trimmed(text: string): string {
  return isInk(text.charCodeAt(0)) && isInk(text.charCodeAt(text.length - 1)) ? text : text.trim()
}

function isInk(code: number): boolean {
  return (code > 0x20 && code < 0x80) || (code > 0x3000 && code !== 0xfeff)
}

/** Whether a text is one of a few words; length and first character tell most texts apart without hashing them. */
function oneOf(words: readonly string[]): (text: string) => boolean {
  const set = new Set(words)
  const lengths = new Uint8Array(128)
  for (const word of words) lengths[word.length] = 1
  const firsts = new Set(words.map(word => word.charCodeAt(0)))
  return text => lengths[text.length] === 1 && firsts.has(text.charCodeAt(0)) && set.has(text)
}

/** Noise goes until none is left, so that a text that was cleaned once is clean. */
function stripped(text: string, prefixes: readonly string[], suffixes: readonly string[]): string {
  let rest = text
  for (const prefix of prefixes) while (rest.startsWith(prefix)) rest = rest.slice(prefix.length).trimStart()
  for (const suffix of suffixes) while (rest.endsWith(suffix)) rest = rest.slice(0, -suffix.length).trimEnd()
  return rest
}

function factDay(text: ReadText, read: (text: string) => Day | null | undefined) {
  return (row: LocalRow): Day | null | undefined => {
    const stated = text(row)
    return stated === undefined ? null : read(stated)
  }
}

function valueReader(
  rule: Rule,
  field: Field,
  text: ReadText,
  dates: Dates,
  codes: (name: string) => Codes,
): ReadValue {
  if (rule.constant !== undefined) return constantReader(rule.constant, field)
  switch (field.type) {
    case 'text':
      return row => {
        const stated = text(row)
        return stated === undefined || stated.length <= TEXT_LIMIT ? stated : cut(stated, TEXT_LIMIT)
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

function constantReader(constant: string, field: Field): ReadValue {
  const value: Value =
    field.type === 'code'
      ? { code: constant, original: constant }
      : field.type === 'codes'
        ? { codes: [constant], original: constant }
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
    const meanings = meaningsOf(parts(stated), list, on)
    return meanings === undefined ? untranslated(stated) : coded(meanings, stated, many)
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
function splitter(rule: Rule): (stated: string) => readonly string[] {
  if (rule.split === undefined) return stated => [stated]
  const between = new RegExp(rule.split.map(separator => RegExp.escape(separator)).join('|'))
  return stated =>
    stated
      .split(between)
      .map(part => part.trim())
      .filter(part => part !== '')
}

/** What the words mean together; undefined where one of them has no meaning, for then the whole is not known. */
function meaningsOf(words: readonly string[], list: Codes, on: string | undefined): readonly Meaning[] | undefined {
  const meanings: Meaning[] = []
  for (const word of words) {
    const meaning = list.read(word, on)
    if (meaning === undefined) return undefined
    meanings.push(meaning)
  }
  return meanings
}

function listsOf(named: Rule['codes'], codes: (name: string) => Codes) {
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

function valueWriter(
  rule: Rule,
  field: Field,
  dates: Dates,
  codes: (name: string) => Codes,
  vocabulary: Vocabulary,
): WriteValue {
  const columns = rule.column === undefined ? (rule.columns ?? []) : [rule.column]
  const [column] = columns
  const terms = vocabulary.sets.get(field.set ?? '')
  if (column === undefined) {
    return value =>
      codeOf(value) === rule.constant || value === rule.constant ? NOTHING : lost(value, 'no-column', terms)
  }
  const plain = (write: (value: Value) => string | undefined): WriteValue => {
    return value => {
      if (typeof value !== 'string' && 'untranslated' in value) return lost(value, 'not-translated-there', terms)
      const text = write(value)
      return text === undefined ? lost(value, 'not-understood', terms) : { columns: { [column]: text } }
    }
  }
  switch (field.type) {
    case 'text':
      return plain(value => (typeof value === 'string' ? value : undefined))
    case 'date': {
      const write = dayWriter(dates)
      return plain(value => (typeof value === 'string' ? write(value) : undefined))
    }
    case 'decimal':
      return plain(value => (typeof value === 'string' ? amountOut(value, 'yuan') : undefined))
    case 'money': {
      const { unit = 'yuan', currency = 'CNY' } = rule
      return plain(value =>
        typeof value === 'object' && 'amount' in value && value.currency === currency
          ? amountOut(value.amount, unit)
          : undefined,
      )
    }
    case 'code':
    case 'codes':
      return codedWriter(rule, columns, codes, terms)
  }
}

function codedWriter(
  rule: Rule,
  columns: readonly string[],
  codes: (name: string) => Codes,
  terms: ReadonlyMap<string, Term> | undefined,
): WriteValue {
  const { asOf } = rule
  const { by, lists } = listsOf(rule.codes, codes)
  const parts = splitter(rule)

  /** The other city's own words, where they are ours too and mean the same here: nothing is as faithful. */
  const sameWords = (value: Coded, list: Codes, on: string | undefined): Written | undefined => {
    const words = parts(value.original)
    const meanings = meaningsOf(words, list, on)
    if (meanings === undefined || !sameMeaning(value, meanings)) return undefined
    return {
      columns: spread(words, columns, rule),
      meaning: { original: value.original, relation: weakest(meanings) },
    }
  }

  return (value, all) => {
    if (typeof value === 'string' || 'amount' in value) return lost(value, 'not-understood', terms)
    if ('untranslated' in value) return lost(value, 'not-translated-there', terms)
    const list = lists.get(by === undefined ? '' : (codeOf(all[by]) ?? ''))
    if (list === undefined) return lost(value, 'no-word', terms)
    const same = sameWords(value, list, asOf === undefined ? undefined : dayOf(all[asOf]))
    if (same !== undefined) return same

    const { original } = value
    const stated = codesOf(value)
    if ('codes' in value && value.ambiguous) {
      const found = list.writeSet(stated)
      if (found === undefined) return lost(value, 'ambiguous', terms)
      return { columns: spread([found.word], columns, rule), meaning: { original, relation: found.relation } }
    }
    const room = rule.split === undefined ? columns.length : stated.length
    const said: { readonly word: string; readonly relation: Relation }[] = []
    const unsaid: string[] = []
    for (const code of stated) {
      const found = list.write(code)
      if (found === undefined) unsaid.push(code)
      else if (said.some(({ word }) => word === found.word)) continue
      else if (said.length < room) said.push(found)
      else unsaid.push(code)
    }
    if (said.length === 0) return lost(value, 'no-word', terms)
    const words = said.map(({ word }) => word)
    return {
      columns: spread(words, columns, rule),
      meaning: { original, relation: weakest(said) },
      ...(unsaid.length > 0 && { missing: { original, meaning: named(unsaid, terms), reason: 'no-word' as const } }),
    }
  }
}

type Coded = Extract<Value, { original: string }>

function codesOf(value: Coded): readonly string[] {
  return 'codes' in value ? value.codes : [value.code]
}

function sameMeaning(value: Coded, meanings: readonly Meaning[]): boolean {
  const ambiguous = 'codes' in value && value.ambiguous === true
  if (ambiguous === meanings.every(({ certain }) => certain)) return false
  const ours = new Set(meanings.flatMap(({ codes }) => codes))
  const theirs = new Set(codesOf(value))
  return ours.size > 0 && ours.size === theirs.size && theirs.isSubsetOf(ours)
}

/** One word a column; where a column takes several, the last takes what is left over. */
function spread(words: readonly string[], columns: readonly string[], rule: Rule): Record<string, string> {
  const [first = ''] = columns
  const separator = rule.split?.[0] ?? ' '
  if (rule.take !== 'all') return { [first]: words.join(separator) }
  const out: Record<string, string> = {}
  for (const [i, column] of columns.entries()) {
    const here = i === columns.length - 1 ? words.slice(i) : words.slice(i, i + 1)
    if (here.length > 0) out[column] = here.join(separator)
  }
  return out
}

const weakness: readonly Relation[] = ['exact', 'narrower', 'broader', 'overlapping', 'none']

function weakest(words: readonly { relation: Relation }[]): Relation {
  return words.reduce<Relation>(
    (worst, { relation }) => (weakness.indexOf(relation) > weakness.indexOf(worst) ? relation : worst),
    'exact',
  )
}

const NOTHING: Written = { columns: {} }

/** A value that we cannot write: what the other city said, and what its codes mean. */
export function missing(
  value: Value,
  reason: Missing['reason'],
  terms: ReadonlyMap<string, Term> | undefined,
): Missing {
  if (typeof value === 'string') return { original: value, reason }
  if ('amount' in value) return { original: `${value.amount} ${value.currency}`, reason }
  if ('untranslated' in value) return { original: value.untranslated, reason: 'not-translated-there' }
  return { original: value.original, meaning: named(codesOf(value), terms), reason }
}

function lost(value: Value, reason: Missing['reason'], terms: ReadonlyMap<string, Term> | undefined): Written {
  return { columns: {}, missing: missing(value, reason, terms) }
}

function named(codes: readonly string[], terms: ReadonlyMap<string, Term> | undefined): string {
  return codes.map(code => terms?.get(code)?.zh ?? code).join(' / ')
}

/** The code of a value that is certain of one; undefined for any other value. */
export function codeOf(value: Value | undefined): string | undefined {
  return typeof value === 'object' && 'code' in value ? value.code : undefined
}

function dayOf(value: Value | undefined): string | undefined {
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
