/** The schemas that editors use are those of the forms, and the shipped files are what they say. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { editorSchemas } from '../src/editor-schemas.ts'
import { xingwanMapping } from './xingwan.ts'

const config = join(import.meta.dirname, '../federation-config')
const read = (path: string): unknown => JSON.parse(readFileSync(join(config, path), 'utf8'))
const filesOf = (folder: string) =>
  readdirSync(join(config, folder))
    .filter(name => name.endsWith('.json'))
    .map(name => `${folder}/${name}`)
const schemas = editorSchemas()

/** A reader of the schema alone, made without our forms. */
function reader(name: string) {
  const text = schemas.get(`${name}.schema.json`)
  if (text === undefined) throw new RangeError(name)
  return z.fromJSONSchema(JSON.parse(text))
}

describe('the schemas for editors', () => {
  it('are those of the forms: `node src/editor-schemas.ts` writes them anew', () => {
    expect(filesOf('schema').sort()).toEqual([...schemas.keys()].map(name => `schema/${name}`).sort())
    for (const [name, text] of schemas) expect(readFileSync(join(config, 'schema', name), 'utf8'), name).toBe(text)
  })

  it.each([
    ...filesOf('mappings').map(file => ['mapping', file] as const),
    ...filesOf('vocabulary').map(file => ['vocabulary', file] as const),
    ...filesOf('members').map(file => ['member', file] as const),
    ...filesOf('agreements').map(file => ['agreement', file] as const),
    ['rules', 'rules.json'] as const,
  ])('of a %s takes %s', (name, file) => {
    expect(reader(name).safeParse(read(file)).error).toBeUndefined()
  })

  it.each([
    [
      'a relation that there is not',
      { codes: { zt: { read: [{ words: ['1'], relation: 'equal', codes: ['normal'] }] } } },
    ],
    ['a member that there is not', { tables: { t07_penal: { primaryKey: 'who_code' } } }],
    ['a unit that there is not', { tables: { t07_penal: { fields: { fine: { unit: 'dollar' } } } } }],
    ['a date format that there is not', { dates: { formats: ['DD.MM.YYYY'] } }],
  ])('of a mapping find %s', (_, change) => {
    const mapping = reader('mapping')
    expect(mapping.safeParse(JSON.parse(xingwanMapping())).success).toBe(true)
    expect(mapping.safeParse(JSON.parse(xingwanMapping(change))).success).toBe(false)
  })

  it('are named by the members’ files, whose form allows it', () => {
    for (const file of filesOf('members')) expect(read(file)).toMatchObject({ $schema: '../schema/member.schema.json' })
  })

  it('say in both languages what each part of a mapping is for', () => {
    const hints = [...(schemas.get('mapping.schema.json') ?? '').matchAll(/"description": "(.*)"/g)].map(
      ([, hint = '']) => hint,
    )
    expect(hints.length).toBeGreaterThan(40)
    for (const hint of hints) expect(hint).toMatch(/\p{sc=Han}.* [a-z]/u)
  })
})
