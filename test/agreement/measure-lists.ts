/** The shipped measure lists, and what is wrong with one after a change to it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MeasureList, readMeasures } from '#agreement/measures.ts'
import { type ConfigFile, ConfigurationError, type Fault } from '#protocol/fault.ts'
import { vocabulary as known } from '../schema/cities.ts'

const folder = join(import.meta.dirname, '../../federation-config/measures')

const measureFiles: readonly ConfigFile[] = readdirSync(folder).map(name => ({
  file: `measures/${name}`,
  text: readFileSync(join(folder, name), 'utf8'),
}))
export const measureLists = readMeasures(measureFiles, known)
export const jiangyin = listOf('jiangyin')
export const huizhou = listOf('huizhou')

function listOf(city: string): MeasureList {
  const list = measureLists.get(city)
  if (list === undefined) throw new RangeError(`no measures of ${city}`)
  return list
}

/** What is wrong with the list of Huizhou after a change to it. */
export function faultsAfter(change: (list: MeasureList) => void, vocabulary = known): readonly Fault[] {
  const file = measureFiles.find(each => each.file.endsWith('huizhou.json'))
  const list: MeasureList = JSON.parse(file?.text ?? '')
  change(list)
  try {
    readMeasures([{ file: 'measures/huizhou.json', text: JSON.stringify(list) }], vocabulary)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

/** Changes the first measure of a list. */
export function changeFirst(list: MeasureList, change: Readonly<Record<string, unknown>>): void {
  Object.assign(list.measures[0] ?? {}, change)
}
