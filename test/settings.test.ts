/** Where a city keeps its tables: one database, or several that its mapping tells apart. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigurationError } from '#protocol/fault.ts'
import { readSettings, readSettingsFile } from '../src/settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

const sourcesOf = (XINQIAO_SOURCE: string) => [
  ...readSettings({ XINQIAO_CITY: 'suqian', XINQIAO_KEYS: 'keys', XINQIAO_DATA: 'data', XINQIAO_SOURCE }).sources,
]

function faultOf(source: string): string {
  try {
    sourcesOf(source)
    return ''
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.faults.map(({ path, problem }) => `${path} ${problem}`).join('; ')
  }
}

describe('the sources of a city', () => {
  test.each([
    ['sqlite:data/city.sqlite', [['city', 'sqlite:data/city.sqlite']]],
    ['sqlite:/data/a,b=c.sqlite', [['city', 'sqlite:/data/a,b=c.sqlite']]],
    ['postgres://h1,h2/credit?sslmode=require', [['city', 'postgres://h1,h2/credit?sslmode=require']]],
    ['county=sqlite:/c.sqlite', [['county', 'sqlite:/c.sqlite']]],
    [
      'city=postgres://reader:a=b@h1,h2/credit?x=y,county=sqlite:/c.sqlite',
      [
        ['city', 'postgres://reader:a=b@h1,h2/credit?x=y'],
        ['county', 'sqlite:/c.sqlite'],
      ],
    ],
    [
      'enterprise=postgresql://db/e, organisation=postgresql://db/o',
      [
        ['enterprise', 'postgresql://db/e'],
        ['organisation', 'postgresql://db/o'],
      ],
    ],
  ])('%s', (text, sources) => {
    expect(sourcesOf(text)).toEqual(sources)
  })

  test.each([
    'oracle:credit',
    'sqlite:',
    '',
    'city=oracle:credit',
    'city=',
    'City=sqlite:/c',
    'city=sqlite:/a,city=sqlite:/b',
    'city=sqlite:/a,county=oracle:b,other=sqlite:/c',
  ])('%j is refused', text => {
    expect(faultOf(text) || JSON.stringify(sourcesOf(text))).toMatch(/^XINQIAO_SOURCE /)
  })

  test('in a file are taken from the folder of the file, each of them', () => {
    const file = join(folder, 'xinqiao.env')
    const lines = [
      'XINQIAO_CITY=suqian',
      'XINQIAO_KEYS=keys',
      'XINQIAO_DATA=data',
      'XINQIAO_SOURCE=city=sqlite:data/city.sqlite,county=sqlite:/srv/county.sqlite,other=postgres://db/x',
    ]
    writeFileSync(file, lines.join('\n'))
    expect([...readSettingsFile(file).sources.values()]).toEqual([
      `sqlite:${join(folder, 'data/city.sqlite')}`,
      'sqlite:/srv/county.sqlite',
      'postgres://db/x',
    ])
  })
})
