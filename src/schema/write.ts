/** A shared value becomes our own word, or it is said that we have none: the writing half of a mapping's rules. */
import type { Value } from '#protocol/message.ts'
import type { Codes, Meaning } from './codes.ts'
import { dayWriter } from './date.ts'
import type { Dates, Relation, Rule } from './format.ts'
import { amountOut } from './money.ts'
import { codeOf, dayOf, listsOf, meaningsOf, splitter } from './read.ts'
import { writeSpelling } from './spelling.ts'
import type { Field, Term, Vocabulary } from './vocabulary.ts'

/** What a value becomes in our columns. `missing` are parts for which we have no word. */
type Written = {
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

/** Compiles a rule into what it makes of a value. */
export function valueWriter(
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
      return plain(value => {
        if (typeof value !== 'string') return undefined
        return rule.spelling === undefined ? value : writeSpelling(value, rule.spelling)
      })
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
    const on = asOf === undefined ? undefined : dayOf(all[asOf])
    const same = sameWords(value, list, on)
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
      const found = wordOn(list, code, on)
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

/** Our word for a code, where it means that code on the day of the record: a word of ours may mean another on another day. */
function wordOn(list: Codes, code: string, on: string | undefined): ReturnType<Codes['write']> {
  const found = list.write(code)
  if (found === undefined || !list.dated) return found
  const meaning = list.read(found.word, on)
  const means = meaning?.codes.includes(code) && (meaning.certain || found.relation !== 'exact')
  return means ? found : undefined
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
