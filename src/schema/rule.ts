/** The rules of a mapping, compiled: one rule is a closure that reads a row and one that writes a column. */
import { type Codes, compileCodes } from './codes.ts'
import { dayReader } from './date.ts'
import type { CodeList, MappingForm, Rule } from './format.ts'
import { type ReadValue, valueReader } from './read.ts'
import type { Day } from './record.ts'
import { type LocalRow, type ReadText, textReader } from './text.ts'
import type { Field, Vocabulary } from './vocabulary.ts'
import { valueWriter, type WriteValue } from './write.ts'

export type Compiler = {
  /** Texts that mean "nothing" in every column of the city. */
  readonly none: readonly string[]
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
    none: form.none,
    text,
    codes,
    day: rule => factDay(text(rule), dayReader(rule.dates ?? form.dates)),
    value: (rule, field) =>
      valueReader(rule, field, text(rule), rule.dates ?? form.dates, codes, vocabulary.sets.get(field.set ?? '')),
    write: (rule, field) => valueWriter(rule, field, rule.dates ?? form.dates, codes, vocabulary),
  }
}

const EMPTY: CodeList = { zh: '-', source: '-', set: '-', read: [], write: 'never' }

function factDay(text: ReadText, read: (text: string) => Day | null | undefined) {
  return (row: LocalRow): Day | null | undefined => {
    const stated = text(row)
    return stated === undefined ? null : read(stated)
  }
}
