/** Who may see which field for what purpose, what translation loses, and where the configuration stands: read before signing or starting. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Agreement, checkSignature, readAgreement, readAgreements, type Signed } from '#agreement/agreement.ts'
import { scopeOf } from '#agreement/authorise.ts'
import { digest } from '#protocol/canonical.ts'
import { ConfigurationError, type Fault, readForm } from '#protocol/fault.ts'
import { Refusal } from '#protocol/refusal.ts'
import { MappingForm } from '#schema/format.ts'
import { readMapping } from '#schema/mapping.ts'
import { reportMapping, type TranslationReport } from '#schema/report.ts'
import { readVocabulary, type Vocabulary } from '#schema/vocabulary.ts'
import { jsonFiles, type Members, readMembers } from '#trust/members.ts'
import { type Places, readConfiguration } from './configuration.ts'
import { countTables, type TableKeys } from './key-counts.ts'
import { listsOf } from './promised.ts'
import type { Settings } from './settings.ts'

/** One line for each agreement, direction, purpose and family: the matrix of what leaves and what comes. */
export type Disclosed = {
  readonly agreement: string
  /** False: not every party has signed this text, and nothing is given under it. */
  readonly signed: boolean
  readonly from: string
  readonly to: string
  readonly purpose: string
  readonly family: string
  readonly kinds: readonly string[]
  readonly level: string
  readonly fields: readonly string[]
  readonly lists: readonly string[]
  /** Of these lists, those of which no row of the giver's mapping can ever be: granted, and never given. */
  readonly never: readonly string[]
  readonly schemes: readonly string[]
}

/** Every fault of the configuration, and what its agreements permit or would permit between us and others. */
export type Survey = {
  readonly faults: readonly Fault[]
  readonly disclosures: readonly Disclosed[]
  /** Undefined: it cannot be read, and so there are no disclosures. */
  readonly vocabulary: Vocabulary | undefined
  /** What becomes of our words. Undefined: the mapping, or the vocabulary, has faults. */
  readonly translation: TranslationReport | undefined
  /** Which rows of our tables no question can find. Undefined: as above. */
  readonly keys: readonly TableKeys[] | undefined
}

/**
 * The disclosures are worked out by the same rules that a question is judged by, and from every agreement that can be read:
 * who signs should have read them before. `now` is epoch milliseconds.
 */
export async function survey(places: Places & Pick<Settings, 'sources'>, now: number): Promise<Survey> {
  const faults: Fault[] = []
  try {
    const { agreements } = await readConfiguration(places, () => now)
    // A gateway starts with them and goes by the others; who checks is to know what is not in force, and why.
    for (const { id, why } of agreements.idle) {
      const remedy = `have them run \`xinqiao agreement sign ${id}\` and send the file, or remove the agreement`
      faults.push({ file: `agreements/${id}.json`, path: '', problem: `the agreement rests: ${why}`, remedy })
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    faults.push(...error.faults)
  }
  const { city, config } = places
  const vocabulary = vocabularyOf(config)
  if (vocabulary === undefined) return { faults, disclosures: [], vocabulary, translation: undefined, keys: undefined }
  const members = await readMembers(places, () => now, [])
  const disclosures = jsonFiles(join(config, 'agreements')).flatMap(name => {
    const text = readAgreement(readFileSync(join(config, 'agreements', name), 'utf8'), name, [])
    if (!text?.parties.includes(city)) return []
    const states = members && signatures(config, name.replace(/\.json$/, ''), text, members, now)
    return disclosed(text, states?.every(({ state }) => state === 'signed') === true, city, vocabulary)
  })
  const given = givenLists(config, vocabulary)
  const said = disclosures.map(row => ({
    ...row,
    never: row.lists.filter(list => given.get(row.from)?.has(list) === false),
  }))
  return { faults, disclosures: said, vocabulary, ...(await ownWords(places, vocabulary)) }
}

/** The report on our mapping, where that is sound (its faults are among those of the configuration), and what of our rows it reaches. */
async function ownWords(
  { config, city, sources }: Places & Pick<Settings, 'sources'>,
  vocabulary: Vocabulary,
): Promise<Pick<Survey, 'translation' | 'keys'>> {
  const name = `mappings/${city}.json`
  const path = join(config, name)
  if (!existsSync(path)) return { translation: undefined, keys: undefined }
  const file = { file: name, text: readFileSync(path, 'utf8') }
  try {
    const mapping = readMapping(file, vocabulary)
    const translation = reportMapping(MappingForm.parse(JSON.parse(file.text)), vocabulary)
    return { translation, keys: await countTables(sources, mapping) }
  } catch (error) {
    if (error instanceof ConfigurationError) return { translation: undefined, keys: undefined }
    throw error
  }
}

function vocabularyOf(config: string): Vocabulary | undefined {
  try {
    return readCodes(config)
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined
    throw error
  }
}

/** The shared vocabulary of a configuration. Throws ConfigurationError. */
export function readCodes(config: string): Vocabulary {
  return readVocabularyIn(join(config, 'vocabulary'))
}

/** The vocabulary whose files lie in a folder, one set a file. Throws ConfigurationError. */
export function readVocabularyIn(folder: string): Vocabulary {
  return readVocabulary(
    jsonFiles(folder).map(name => ({ file: `vocabulary/${name}`, text: readFileSync(join(folder, name), 'utf8') })),
  )
}

/** What is wrong with what an agreement says, whoever has signed it: who signs must know every word of it. */
export async function agreementFaults(places: Places, id: string, now: number): Promise<Fault[]> {
  const faults: Fault[] = []
  const members = await readMembers(places, () => now, [])
  if (members === undefined) return faults
  readAgreements(places.config, places.city, members, readCodes(places.config), now, faults)
  // A fault of the file as a whole is its form, which signing mends; a missing signature has a file of its own.
  return faults.filter(({ file, path }) => file === `agreements/${id}.json` && path !== '')
}

/** The lists that each city's mapping can give, where it can be read. */
function givenLists(config: string, vocabulary: Vocabulary): ReadonlyMap<string, ReadonlySet<string>> {
  const folder = join(config, 'mappings')
  const forms = (existsSync(folder) ? jsonFiles(folder) : []).flatMap(name => {
    const form = readForm({ file: name, text: readFileSync(join(folder, name), 'utf8') }, MappingForm, [])
    return form === undefined ? [] : [[form.city, listsOf(form, vocabulary)] as const]
  })
  return new Map(forms)
}

type Permitted = Omit<Disclosed, 'never'>

function disclosed(text: Agreement, isSigned: boolean, us: string, vocabulary: Vocabulary): Permitted[] {
  // Its days do not matter here: nothing is asked under it.
  const signed = { text, digest: digest(text), begins: 0, ends: 0 }
  return text.parties
    .filter(party => party !== us)
    .flatMap(peer => [
      { from: us, to: peer },
      { from: peer, to: us },
    ])
    .flatMap(({ from, to }) =>
      [...vocabulary.purposes.keys()].flatMap(purpose => permitted(signed, isSigned, from, to, purpose, vocabulary)),
    )
}

function permitted(
  signed: Signed,
  isSigned: boolean,
  from: string,
  to: string,
  purpose: string,
  vocabulary: Vocabulary,
): Permitted[] {
  const want = [...vocabulary.families.keys()].map(family => ({ family }))
  try {
    const { families } = scopeOf(signed, { from, to, purpose, want }, vocabulary)
    return [...families].flatMap(([family, clauses]) =>
      clauses.map(({ kinds, level, fields, lists, schemes }) => ({
        agreement: signed.text.id,
        signed: isSigned,
        from,
        to,
        purpose,
        family,
        kinds: [...kinds],
        level,
        fields: [...fields],
        lists: [...(lists ?? [])],
        schemes: [...(schemes ?? [])],
      })),
    )
  } catch (error) {
    if (error instanceof Refusal) return []
    throw error
  }
}

/** The matrix as text for a person, with the Chinese names beside the codes. */
export function describeMatrix(rows: readonly Disclosed[], vocabulary: Vocabulary): string {
  const lines: string[] = []
  let heading = ''
  for (const row of rows) {
    const now = `${row.agreement}   ${row.from} → ${row.to}${row.signed ? '' : '   未生效 unsigned'}`
    if (now !== heading) lines.push('', now)
    heading = now
    const family = vocabulary.families.get(row.family)
    const purpose = vocabulary.purposes.get(row.purpose)
    const names = row.fields.map(field => family?.fields.get(field)?.zh ?? field)
    lines.push(
      `  ${purpose?.zh ?? ''} ${row.purpose} · ${family?.zh ?? ''} ${row.family} · ${row.kinds.join(', ')} · ≤ ${row.level}`,
    )
    lines.push(`      字段 fields   ${names.join('、')}`)
    if (row.lists.length > 0)
      lines.push(`      名单 lists    ${row.lists.map(list => vocabulary.lists.get(list)?.zh ?? list).join('、')}`)
    if (row.never.length > 0)
      lines.push(`      给不出 never    ${row.never.map(list => vocabulary.lists.get(list)?.zh ?? list).join('、')}`)
    if (row.schemes.length > 0)
      lines.push(
        `      评价 schemes  ${row.schemes.map(scheme => vocabulary.schemes.get(scheme)?.zh ?? scheme).join('、')}`,
      )
  }
  return lines.join('\n')
}

/** How each party's signature on an agreement stands: `signed`, or the reason why not. */
export function signatures(config: string, id: string, text: Agreement, members: Members, now: number) {
  return text.parties.map(party => {
    const file = join(config, 'agreements', `${id}.${party}.jws`)
    if (!existsSync(file)) return { party, state: 'missing' }
    try {
      checkSignature(text, party, readFileSync(file, 'utf8'), members, now)
      return { party, state: 'signed' }
    } catch (error) {
      if (error instanceof Refusal) return { party, state: error.message }
      throw error
    }
  })
}
