/** What becomes of every word of a city's code lists in both directions, told before the first row is read. */
import { compileCodes, type Meaning } from './codes.ts'
import type { CodeList, MappingForm, Relation } from './format.ts'
import type { Term, Vocabulary } from './vocabulary.ts'

/** A shared code with its names. */
type NamedCode = { readonly code: string; readonly zh: string; readonly en: string }

/**
 * Words of the city on their way to other cities. `exact`: one code, and back the same word. `narrower`: one code that says
 * less than the word. `several`: all of the codes hold. `ambiguous`: one or some of the codes hold, and which cannot be told.
 * `untranslated`: no code; the word travels as it stands.
 */
export type WordReport = {
  readonly words: readonly string[]
  readonly relation: Relation
  readonly outcome: 'exact' | 'narrower' | 'several' | 'ambiguous' | 'untranslated'
  readonly codes: readonly NamedCode[]
  /** Days, both included, on which the words mean this; null is open. */
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly reason?: string
}

/**
 * A shared code of another city on its way into our tables. `exact`: a word that means it and nothing else. `approximate`: the
 * closest word, with its relation and the other city's own word beside. `unsaid`: no word; it is shown as not translated.
 */
export type CodeReport = NamedCode & {
  readonly outcome: 'exact' | 'approximate' | 'unsaid'
  readonly relation: Relation
  readonly word?: string
  /** Days, both included, of records for which the word is written: on others it means something else. Null is open. */
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly reason?: string
}

export type CodeListReport = {
  readonly list: string
  readonly zh: string
  readonly source: string
  readonly set: string
  /** Of the set rating-levels, the one scheme whose levels the list has. */
  readonly within?: string
  readonly assumed: boolean
  readonly note?: string
  /** `table.field` or, for what decides whether a row may leave, `table.state`, `table.level`, `table.person`, `table.performance`. */
  readonly usedBy: readonly string[]
  readonly out: readonly WordReport[]
  /**
   * What comes of a word that the list does not have. `untranslated`: it travels as it stands. `unknown`: its record is not
   * given, and of its family nothing complete is known. No word is ever guessed.
   */
  readonly others: 'untranslated' | 'unknown'
  /** Null: nothing is ever written with the list, it only decides. */
  readonly in: readonly CodeReport[] | null
}

/** Every code list of a mapping that `readMapping` takes. Pure. */
export function reportCodes(form: MappingForm, vocabulary: Vocabulary): CodeListReport[] {
  const users = usersOf(form)
  return Object.entries(form.codes).map(([name, list]) => {
    const terms = vocabulary.sets.get(list.set) ?? new Map<string, Term>()
    return {
      list: name,
      zh: list.zh,
      source: list.source,
      set: list.set,
      ...(list.within !== undefined && { within: list.within }),
      assumed: list.assumed ?? false,
      ...(list.note !== undefined && { note: list.note }),
      usedBy: users.get(name) ?? [],
      out: list.read.map(entry => wordReport(entry, terms)),
      others: deciding.has(list.set) ? 'unknown' : 'untranslated',
      in: list.write === 'never' ? null : codesIn(list, list.write, terms),
    }
  })
}

/** Sets of what the gates go by (`isUndetermined` in agreement/gates.ts). */
const deciding = new Set(['subject-kinds', 'record-states', 'share-levels', 'list-types', 'rating-schemes'])

function wordReport(entry: CodeList['read'][number], terms: ReadonlyMap<string, Term>): WordReport {
  const { words, relation, codes, validFrom = null, validTo = null, reason } = entry
  return {
    words,
    relation,
    outcome: outcomeOf({ codes, relation }),
    codes: codes.map(code => named(code, terms)),
    validFrom,
    validTo,
    ...(reason !== undefined && { reason }),
  }
}

function outcomeOf({ codes, relation }: Pick<Meaning, 'codes' | 'relation'>): WordReport['outcome'] {
  if (relation === 'none') return 'untranslated'
  if (relation !== 'exact' && relation !== 'narrower') return 'ambiguous'
  if (codes.length > 1) return 'several'
  return relation
}

/** The look-up itself is asked, so that the report cannot say another word than the translation. */
function codesIn(
  list: CodeList,
  write: Exclude<CodeList['write'], 'never'>,
  terms: ReadonlyMap<string, Term>,
): CodeReport[] {
  const compiled = compileCodes(list)
  const reasons = new Map(write.map(({ code, reason }) => [code, reason]))
  return [...terms.keys()]
    .filter(code => list.within === undefined || code.startsWith(`${list.within}.`))
    .map(code => {
      const found = compiled.write(code)
      const reason = reasons.get(code)
      const entry =
        found &&
        list.read.find(
          ({ words, codes, relation }) =>
            words.includes(found.word) && codes.includes(code) && (found.relation !== 'exact' || relation === 'exact'),
        )
      return {
        ...named(code, terms),
        outcome: found === undefined ? 'unsaid' : found.relation === 'exact' ? 'exact' : 'approximate',
        relation: found?.relation ?? 'none',
        ...(found !== undefined && { word: found.word }),
        validFrom: entry?.validFrom ?? null,
        validTo: entry?.validTo ?? null,
        ...(reason !== undefined && { reason }),
      }
    })
}

function named(code: string, terms: ReadonlyMap<string, Term>): NamedCode {
  const term = terms.get(code)
  return { code, zh: term?.zh ?? code, en: term?.en ?? code }
}

function usersOf({ tables }: MappingForm): ReadonlyMap<string, readonly string[]> {
  const users = new Map<string, string[]>()
  const use = (list: string, by: string) => {
    const known = users.get(list)
    if (known === undefined) users.set(list, [by])
    else if (!known.includes(by)) known.push(by)
  }
  for (const [table, { fields, person, state, level, performance }] of Object.entries(tables)) {
    for (const [field, { codes }] of Object.entries(fields)) {
      for (const list of typeof codes === 'string' ? [codes] : Object.values(codes?.lists ?? {}))
        use(list, `${table}.${field}`)
    }
    if ('codes' in person) use(person.codes, `${table}.person`)
    for (const fact of state) if ('codes' in fact) use(fact.codes, `${table}.state`)
    if ('codes' in level) use(level.codes, `${table}.level`)
    if (performance !== undefined && 'codes' in performance) use(performance.codes, `${table}.performance`)
  }
  return users
}
