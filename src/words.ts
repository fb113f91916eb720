/** The words of a command are read in one way: what is missing, empty or unknown ends with the usage, exit code 2. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CityId } from '#protocol/message.ts'
import { readSettings, readSettingsFile, type Settings } from './settings.ts'

/** 0 done · 1 not so, or failed · 2 the words of the call are wrong. */
export type Exit = 0 | 1 | 2

export type Command = {
  /** Each way to call it, without the program. */
  readonly usage: readonly string[]
  readonly zh: string
  readonly en: string
  readonly more?: string
  readonly run: (words: string[]) => Promise<Exit>
}

/** The words of the call are wrong. */
export class Usage extends Error {}

/** What an operator can mend; the hint says how. */
export class Failure extends Error {
  readonly hint: string
  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

export const ENV = '[--env FILE]'

type Options = Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>
type Values = Readonly<Record<string, unknown>>

/** Options and the words beside them. Throws Usage for an option that is not named. */
export function parse(words: string[], options: Options) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true })
  } catch (error) {
    throw new Usage(error instanceof Error ? error.message : String(error))
  }
}

/** The options of a command that takes no words beside them. Throws Usage where one stands there, such as a `help` that came last. */
export function optionsAlone(words: string[], options: Options) {
  const { values, positionals } = parse(words, options)
  if (positionals.length > 0) throw new Usage(`unexpected: ${positionals.join(' ')}`)
  return values
}

/** A string option that has to be there. */
export function needed(values: Values, name: string): string {
  const value = values[name]
  if (typeof value !== 'string') throw new Usage(`--${name} is missing`)
  return value
}

export function optional(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** The settings of `--env FILE`, or of the environment. Throws ConfigurationError. */
export function settingsFrom(values: Values): Settings {
  const file = optional(values, 'env')
  return file === undefined ? readSettings() : readSettingsFile(file)
}

/** A city id as given in a call. */
export function cityId(text: string): string {
  const id = CityId.safeParse(text)
  if (!id.success) throw new Usage(`${text} is no city id: small letters, digits and hyphens, for example huizhou`)
  return id.data
}

/** A whole command as it can be pasted into the shell of whoever reads it now, in the folder they are in. */
export function call(...words: readonly string[]): string {
  const home = join(import.meta.dirname, '..')
  const cli = join(import.meta.dirname, 'cli.ts')
  const start = process.cwd() === home ? 'npm run -s xinqiao --' : `node ${quoted(cli)}`
  return `${start} ${words.map(quoted).join(' ')}`
}

function quoted(word: string): string {
  return /^[\p{L}\p{N}_./:,@%+=〔〕-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
