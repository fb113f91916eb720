/** A local code list as two look-ups: what a word means in shared codes, and which word says a shared code. */
import type { CodeList, Relation } from './format.ts'

/** `certain`: all codes hold. Otherwise one of them does, or some, and which cannot be told. */
export type Meaning = { readonly codes: readonly string[]; readonly certain: boolean; readonly relation: Relation }

export type Codes = {
  /** What a word means on a day; undefined for a word outside the list, or one that is declared untranslatable. */
  read(word: string, on: string | undefined): Meaning | undefined
  /** Whether the list declares that a word means none of the shared codes. */
  isNone(word: string): boolean
  /** The word for a code; undefined where the city has none. */
  write(code: string): { readonly word: string; readonly relation: Relation } | undefined
  /** The word that means this uncertain set, if there is one. */
  writeSet(codes: readonly string[]): { readonly word: string; readonly relation: Relation } | undefined
  /** Whether a word's meaning hangs on the day. */
  readonly dated: boolean
}

type Entry = CodeList['read'][number]

/** Full-width, half-width and compatibility forms of a word are one word. */
export function wordKey(word: string): string {
  return word.normalize('NFKC').trim()
}

export function compileCodes(list: CodeList): Codes {
  const readable = new Map<string, Meaning>()
  const datedWords = new Map<string, Entry[]>()
  const none = new Set<string>()
  const written = new Map<string, { word: string; relation: Relation }>()
  const sets = new Map<string, { word: string; relation: Relation }>()

  for (const entry of list.read) {
    const [first] = entry.words
    if (entry.relation === 'none') for (const word of entry.words) none.add(wordKey(word))
    if (first === undefined || entry.relation === 'none') continue
    const meaning = meaningOf(entry)
    const [only] = entry.codes
    if (!meaning.certain) sets.set(setKey(entry.codes), { word: first, relation: entry.relation })
    else if (entry.relation === 'exact' && entry.codes.length === 1 && only !== undefined) {
      written.set(only, { word: first, relation: 'exact' })
    }
    for (const word of entry.words) {
      for (const spelling of new Set([word, wordKey(word)])) {
        if (entry.validFrom === undefined && entry.validTo === undefined) readable.set(spelling, meaning)
        else datedWords.set(spelling, [...(datedWords.get(spelling) ?? []), entry])
      }
    }
  }
  for (const { code, word, relation } of list.write === 'never' ? [] : list.write) {
    if (word !== undefined) written.set(code, { word, relation })
  }

  const find = (word: string, on: string | undefined) =>
    readable.get(word) ?? (datedWords.size > 0 ? onDay(datedWords.get(word), on) : undefined)
  return {
    read: (word, on) => find(word, on) ?? find(wordKey(word), on),
    isNone: word => none.has(wordKey(word)),
    write: code => written.get(code),
    writeSet: codes => sets.get(setKey(codes)),
    dated: datedWords.size > 0,
  }
}

function meaningOf(entry: Entry): Meaning {
  const { codes, relation } = entry
  return { codes, relation, certain: relation === 'exact' || relation === 'narrower' }
}

/** Without a day the word may have any of its meanings. */
function onDay(entries: readonly Entry[] | undefined, on: string | undefined): Meaning | undefined {
  if (entries === undefined) return undefined
  if (on === undefined || on === 'indefinite') {
    return { codes: [...new Set(entries.flatMap(({ codes }) => codes))], certain: false, relation: 'overlapping' }
  }
  const entry = entries.find(({ validFrom, validTo }) => (validFrom ?? '') <= on && on <= (validTo ?? '9999-12-31'))
  return entry && meaningOf(entry)
}

function setKey(codes: readonly string[]): string {
  return codes.toSorted().join(' ')
}
