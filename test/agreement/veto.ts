/** Entries of Huizhou as Jiangyin judges them, by the shipped vocabulary, agreement and measure lists. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agreement } from '#agreement/agreement.ts'
import { scopeOf } from '#agreement/authorise.ts'
import { type MeasureList, readMeasures } from '#agreement/measures.ts'
import { recognise } from '#agreement/recognise.ts'
import { type Case, type Verdict, verdictOf } from '#agreement/verdict.ts'
import { digest } from '#protocol/canonical.ts'
import { type ConfigFile, ConfigurationError, type Fault } from '#protocol/fault.ts'
import type { Value, Want, WireRecord } from '#protocol/message.ts'
import { readSubject } from '#protocol/subject.ts'
import { vocabulary } from '../schema/cities.ts'

const home = join(import.meta.dirname, '../..')
const folder = join(home, 'federation-config/measures')

const measureFiles: readonly ConfigFile[] = readdirSync(folder).map(name => ({
  file: `measures/${name}`,
  text: readFileSync(join(folder, name), 'utf8'),
}))
export const measureLists = readMeasures(measureFiles, vocabulary)
export const jiangyin = listOf('jiangyin')
export const huizhou = listOf('huizhou')

function listOf(city: string): MeasureList {
  const list = measureLists.get(city)
  if (list === undefined) throw new RangeError(`no measures of ${city}`)
  return list
}

/** What is wrong with the list of Huizhou after a change to it. */
export function faultsAfter(change: (list: MeasureList) => void, words = vocabulary): readonly Fault[] {
  const file = measureFiles.find(each => each.file.endsWith('huizhou.json'))
  const list: MeasureList = JSON.parse(file?.text ?? '')
  change(list)
  try {
    readMeasures([{ file: 'measures/huizhou.json', text: JSON.stringify(list) }], words)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

/** Changes the first measure of a list. */
export function set(list: MeasureList, change: Readonly<Record<string, unknown>>): void {
  Object.assign(list.measures[0] ?? {}, change)
}

export const agreement = Agreement.parse(
  JSON.parse(readFileSync(join(home, 'federation-config/agreements/jiangyin-huizhou-2026.json'), 'utf8')),
)
export const today = '2026-11-22'
export const exchange = { agreement, from: 'huizhou', to: 'jiangyin', today }

export function entry(type: string, fields: Readonly<Record<string, Value>> = {}, objection = false): WireRecord {
  const stated = {
    authority: '某局',
    document: '某演示〔2026〕1号',
    listed: '2026-05-01',
    publishedUntil: '2027-05-01',
  }
  return {
    id: `${type}-1`,
    family: 'list',
    fields: { type: { code: type, original: type }, ...stated, ...fields },
    ...(objection && { objection: true as const }),
  }
}

const signed = { text: agreement, digest: digest(agreement), begins: 0, ends: Number.POSITIVE_INFINITY }

/** What the agreement makes of Jiangyin's wants for the one veto purpose. */
export const wanting = (...want: Want[]) =>
  scopeOf(signed, { from: 'huizhou', to: 'jiangyin', purpose: 'fiscal-funds', want }, vocabulary)

/** What follows for fiscal funds from all that Huizhou said of an enterprise, unless a test says otherwise. */
export function judged(records: readonly WireRecord[], over: Partial<Case> = {}, words = vocabulary): Verdict {
  const seen = records.map(shared => ({ shared, recognition: recognise(shared, { ...exchange, ...over }, words) }))
  return verdictOf(
    {
      ...exchange,
      purpose: 'fiscal-funds',
      subject: readSubject('91441300195971850Y'),
      own: jiangyin,
      scope: wanting({ family: 'list' }, { family: 'penalty' }),
      freshness: [
        { family: 'penalty', status: 'fresh' },
        { family: 'list', status: 'fresh' },
      ],
      result: {},
      records: seen,
      ...over,
    },
    words,
  )
}
