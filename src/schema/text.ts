/** The text of a row's columns, without blanks and known noise; a text that means "nothing" is none. */
import type { Rule } from './format.ts'

export type LocalRow = Readonly<Record<string, string | null>>
/** The cleaned text of a row's column; undefined where it means "nothing". */
export type ReadText = (row: LocalRow) => string | undefined

/** Compiles the columns of a rule into the text they hold together. */
export function textReader(rule: Rule, cityNone: readonly string[]): ReadText {
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
  if (column !== undefined && !noisy) {
    return row => {
      const raw = row[column]
      if (raw === null || raw === undefined || raw === '') return fallback
      const text = trimmed(raw)
      return text === '' || isNone(text) ? fallback : text
    }
  }
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
