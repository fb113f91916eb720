/** What the files of a city say is read whole and checked whole: a configuration, or every fault of every file at once. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Agreements, isConfidential, readAgreements } from '#agreement/agreement.ts'
import { type MeasureList, readMeasures } from '#agreement/measures.ts'
import type { Watched } from '#console/lookout.ts'
import { readThresholds, THRESHOLDS } from '#console/thresholds.ts'
import { sha256 } from '#protocol/canonical.ts'
import { type ConfigFile, ConfigurationError, type Fault } from '#protocol/fault.ts'
import { type CompiledMapping, readMapping } from '#schema/mapping.ts'
import { readVocabulary, type Vocabulary } from '#schema/vocabulary.ts'
import { checkKeyFiles, type Keys, readKeys } from '#trust/keys.ts'
import { jsonFiles, type LiveMembers, type Member, type Members, readMembers } from '#trust/members.ts'
import type { Settings } from './settings.ts'

/** What words mean, who may see what, and what stands out: one value, and never a part of it from another day than the rest. */
export type Meaning = {
  readonly vocabulary: Vocabulary
  readonly mapping: CompiledMapping
  readonly measures: ReadonlyMap<string, MeasureList>
  readonly agreements: Agreements
  /** What counts as unusual use. */
  readonly unusual: Watched
  /** SHA-256 of every file that it was read from, by its path in the folder; of an agreement the digest that its parties signed. */
  readonly digests: Readonly<Record<string, string>>
}

/** What the files say, checked; shared by `serve` and `check`. */
export type Configuration = Meaning & { readonly members: LiveMembers; readonly us: Member; readonly keys: Keys }

/** Where what makes a city's identity lies; a subset of Settings. */
export type Places = Pick<Settings, 'city' | 'config' | 'certs' | 'keys' | 'data' | 'passphrase'> & {
  readonly keeps?: true
  /** Where all that is taken up at a reload is read from, where that is not `config`. */
  readonly meaning?: string | undefined
}

/**
 * Reads the configuration and the keys. Throws ConfigurationError with every fault of every file at once. `now` is epoch
 * milliseconds.
 */
export async function readConfiguration(places: Places, now: () => number): Promise<Configuration> {
  const faults: Fault[] = []
  const { members, us, keys } = await readIdentity(places, now, faults)
  const meaning = readMeaning(places, members, keys, now(), faults)
  if (faults.length > 0 || members === undefined || us === undefined || keys === undefined || meaning === undefined) {
    throw new ConfigurationError(faults)
  }
  return { ...meaning, members, us, keys }
}

/**
 * Reads vocabulary, mapping, measures, agreements and thresholds, as members and keys of now judge them. Pushes every fault to
 * `faults`; undefined where there was one. `now` is epoch milliseconds.
 */
export function readMeaning(
  { city, config: whole, meaning: config = whole }: Places,
  members: Members | undefined,
  keys: Keys | undefined,
  now: number,
  faults: Fault[],
): Meaning | undefined {
  const digests: Record<string, string> = {}
  const file = (path: string): ConfigFile => {
    const read = fileOf(config, path)
    digests[path] = sha256(read.text)
    return read
  }
  const files = (folder: string) => jsonFiles(join(config, folder)).map(name => file(`${folder}/${name}`))
  const collect = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      faults.push(...error.faults)
      return undefined
    }
  }
  const vocabulary = collect(() => readVocabulary(files('vocabulary')))
  const mapping = vocabulary && collect(() => readMapping(file(`mappings/${city}.json`), vocabulary))
  const measures = vocabulary && collect(() => readMeasures(files('measures'), vocabulary))
  const agreements = vocabulary && readAgreements(config, city, members, vocabulary, now, faults)
  const unusual = readThresholds(config, faults)
  if (unusual.own) file(THRESHOLDS)
  for (const { text, digest } of agreements?.all ?? []) digests[`agreements/${text.id}.json`] = digest
  if (keys?.openers.size === 0 && agreements?.all.some(isConfidential)) {
    const problem = 'an agreement demands confidentiality, and we have no encryption key'
    faults.push({ file: 'encryption.pem', path: '', problem, remedy: 'make one with `xinqiao keys new encryption`' })
  }
  if (faults.length > 0 || mapping === undefined || measures === undefined || agreements === undefined) return undefined
  return { vocabulary: mapping.vocabulary, mapping, measures, agreements, unusual, digests }
}

/** The folders that `readMeaning` reads. */
const FOLDERS = ['vocabulary', 'mappings', 'measures', 'agreements']

/**
 * Copies what `readMeaning` reads of one folder into another, which is made for us alone: byte for byte, signatures too, and what
 * links lead to in their place. Throws what the system does; then a part may be there.
 */
export function copyMeaning(from: string, to: string): void {
  const folders = FOLDERS.filter(folder => existsSync(join(from, folder)))
  const files = folders.flatMap(folder => readdirSync(join(from, folder)).map(name => join(folder, name)))
  mkdirSync(to, { recursive: true, mode: 0o700 })
  for (const file of existsSync(join(from, THRESHOLDS)) ? [...files, THRESHOLDS] : files) {
    if (!statSync(join(from, file)).isFile()) continue
    mkdirSync(dirname(join(to, file)), { recursive: true, mode: 0o700 })
    copyFileSync(join(from, file), join(to, file))
  }
}

/** Who belongs, who we are among them, and our keys: all that signing an agreement needs. Pushes to `faults`. */
export async function readIdentity(places: Places, now: () => number, faults: Fault[]) {
  const { city } = places
  const members = await readMembers(places, now, faults)
  const us = members?.find(city)
  if (members !== undefined && us === undefined) {
    faults.push({
      file: 'roll.json',
      path: '',
      problem: `${city} is not on the roll`,
      remedy: 'Set XINQIAO_CITY to the id of a member, or have the federation’s office admit the city',
    })
  }
  if (members === undefined || us === undefined) checkKeyFiles(places, faults)
  const keys = members && us && (await readKeys(places, city, members, now(), faults))
  return { members, us, keys }
}

function fileOf(config: string, file: string): ConfigFile {
  const path = join(config, file)
  if (!existsSync(path)) {
    throw new ConfigurationError([
      { file, path: '', problem: 'there is no such file', remedy: 'Put it there; `xinqiao init` makes a first one' },
    ])
  }
  return { file, text: readFileSync(path, 'utf8') }
}
