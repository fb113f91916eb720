/** What an agreement grants and the giver's mapping can never give is known before anybody counts on it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MappingForm } from '#schema/format.ts'
import { listsOf } from '../src/promised.ts'
import { vocabulary } from './schema/cities.ts'

const folder = join(import.meta.dirname, '..', 'federation-config', 'mappings')
const of = (city: string) =>
  listsOf(MappingForm.parse(JSON.parse(readFileSync(join(folder, `${city}.json`), 'utf8'))), vocabulary)

describe('the lists that a mapping can give', () => {
  it('are no severe ones where the table does not say of which list a row is', () => {
    const severe = [...of('jiangyin')].filter(list => vocabulary.lists.get(list)?.severe)
    expect(severe).toEqual([])
    expect(of('jiangyin')).toContain('local-black')
  })

  it('are those for which it has a word, where the table has a column of the type', () => {
    expect(of('suqian')).toContain('wage-arrears')
  })
})
