/** The words of a command are read in one way, and what went wrong is said in one way: in both languages, with what to do about it. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { CityId } from '#protocol/message.ts'
import type { Said } from '#protocol/said.ts'
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

/** The words of the call are wrong: what is wrong with them, or the form of this part of the call, which needs no language. */
export class Usage extends Error {
  constructor(what: Said | { readonly form: string }) {
    super('form' in what ? what.form : inLines(what))
  }
}

/** What an operator can mend; the hint says how. */
export class Failure extends Error {
  readonly hint: Said
  constructor(what: Said, hint: Said) {
    super(inLines(what))
    this.hint = hint
  }
}

/** What a terminal shows of one thing said: a line in Chinese, and a line in English below. */
export function inLines({ zh, en }: Said): string {
  return `${zh}\n${en}`
}

/** What went wrong, and below it what to do about it. */
export function withHint(what: string, hint: Said): string {
  return `${what}\n提示：${hint.zh}\nhint: ${hint.en}`
}

export const ENV = '[--env FILE]'

type Options = Record<string, { type: 'string' | 'boolean'; multiple?: boolean }>
type Values = Readonly<Record<string, unknown>>

/** Options and the words beside them. Throws Usage for an option that is not named. */
export function parse(words: string[], options: Options) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true })
  } catch (error) {
    throw new Usage({ zh: '选项有误：', en: error instanceof Error ? error.message : String(error) })
  }
}

/** The options of a command that takes no words beside them. Throws Usage where one stands there, such as a `help` that came last. */
export function optionsAlone(words: string[], options: Options) {
  const { values, positionals } = parse(words, options)
  if (positionals.length > 0)
    throw new Usage({ zh: `多余的词：${positionals.join(' ')}`, en: `unexpected: ${positionals.join(' ')}` })
  return values
}

/** A string option that has to be there. */
export function needed(values: Values, name: string): string {
  const value = values[name]
  if (typeof value !== 'string') throw new Usage({ zh: `缺少 --${name}`, en: `--${name} is missing` })
  return value
}

export function optional(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

/** A day as given in a call, YYYY-MM-DD. Throws Usage for a day that there never was. */
function dayIn(values: Values, name: string): string | undefined {
  const day = optional(values, name)
  if (day !== undefined && !z.iso.date().safeParse(day).success)
    throw new Usage({ zh: `--${name} 为日期，如 2026-11-22`, en: `--${name} is a day such as 2026-11-22` })
  return day
}

/** The days of `--from` and `--to`, both included and not the wrong way round. Throws Usage. */
export function daysIn(values: Values): { readonly from: string | undefined; readonly to: string | undefined } {
  const [from, to] = [dayIn(values, 'from'), dayIn(values, 'to')]
  if (from !== undefined && to !== undefined && to < from)
    throw new Usage({ zh: '--to 早于 --from', en: '--to is before --from' })
  return { from, to }
}

/** The settings of `--env FILE`, or of the environment. Throws ConfigurationError. */
export function settingsFrom(values: Values): Settings {
  const file = optional(values, 'env')
  return file === undefined ? readSettings() : readSettingsFile(file)
}

/** A city id as given in a call. */
export function cityId(text: string): string {
  const id = CityId.safeParse(text)
  if (!id.success)
    throw new Usage({
      zh: `${text} 不是城市代码：小写字母、数字和连字符，如 huizhou`,
      en: `${text} is no city id: small letters, digits and hyphens, for example huizhou`,
    })
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
