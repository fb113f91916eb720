import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MappingForm } from '#schema/format.ts'
import { reportMapping } from '#schema/report.ts'
import { type Staffed, said, staffed } from './staffed.ts'

const markup = '<b onclick=x>备注</b>'

describe('the page of mappings', () => {
  let here: Staffed
  const path = (city: string) => join(here.running.federation.folder, 'federation-config', 'mappings', `${city}.json`)
  beforeAll(async () => {
    here = await staffed({
      prepare: config => {
        const file = join(config, 'mappings', 'huizhou.json')
        writeFileSync(file, readFileSync(file, 'utf8').replaceAll('"行政相对人名称"', JSON.stringify(markup)))
      },
    })
  })
  afterAll(() => here[Symbol.asyncDispose]())

  it('shows a viewer our column, the shared field and the other city’s column, side by side', async () => {
    const { status, text } = await here.by.viewer.get('/console/mappings?family=penalty')
    expect(status).toBe(200)
    const page = said(text)
    // Both cities' own columns for the same shared field, in one row.
    expect(page).toMatch(/holder [^✗]*XZXDRMC[^✗]*CF_XDR_MC/)
    expect(text).toContain('&lt;b onclick=x&gt;备注&lt;/b&gt;')
    expect(text).not.toContain('<b onclick')
  })

  it('says of every field of ours what the translation report says', async () => {
    const { vocabulary } = here.running.gateway('jiangyin').city
    const form = MappingForm.parse(JSON.parse(readFileSync(path('jiangyin'), 'utf8')))
    const report = reportMapping(form, vocabulary)
    const names = { covered: '完整', lossy: '有损', dropped: '缺失' } as const
    for (const { family, fields } of report.families) {
      const page = (await here.by.viewer.get(`/console/mappings?family=${family}`)).text
      for (const { field, outcome, absent } of fields) {
        const [row = ''] = new RegExp(`<code>${field}</code>[\\s\\S]*?</tr>`).exec(page) ?? []
        expect(said(row)).toContain(names[outcome])
        for (const { reason } of absent) expect(said(page)).toContain(reason)
      }
    }
  })

  it('names each column that is left where it is, with its reason, and each code list with its words', async () => {
    const form = MappingForm.parse(JSON.parse(readFileSync(path('jiangyin'), 'utf8')))
    const tables = Object.values(form.tables).filter(({ family }) => family === 'penalty')
    const page = said((await here.by.viewer.get('/console/mappings?family=penalty')).text)
    for (const { ignored } of tables) {
      for (const [column, reason] of Object.entries(ignored)) {
        expect(page).toContain(column)
        expect(page).toContain(reason.replace(/\s+/g, ' '))
      }
    }
    expect(page).toContain('代码表')
  })

  it('speaks English where that is chosen', async () => {
    const page = said((await here.by.operator.get('/console/mappings?family=penalty&lang=en')).text)
    expect(page).toMatch(/Shared field Ours Huizhou/)
    await here.by.operator.get('/console?lang=zh')
  })

  it('says so where another city’s file has faults or is not there, and shows ours all the same', async () => {
    const sound = readFileSync(path('huizhou'), 'utf8')
    try {
      writeFileSync(path('huizhou'), '{"city":"huizhou"}')
      const page = said((await here.by.viewer.get('/console/mappings?family=penalty')).text)
      expect(page).toMatch(/惠州市?的映射文件有误/)
      expect(page).toMatch(/holder [^✗]*XZXDRMC/)
      rmSync(path('huizhou'))
      expect((await here.by.viewer.get('/console/mappings')).status).toBe(200)
    } finally {
      writeFileSync(path('huizhou'), sound)
    }
  })

  it('says so where our own cannot be read', async () => {
    const sound = readFileSync(path('jiangyin'), 'utf8')
    try {
      writeFileSync(path('jiangyin'), 'no JSON')
      const { status, text } = await here.by.viewer.get('/console/mappings')
      expect(status).toBe(500)
      expect(said(text)).toContain('本市映射无法读取')
    } finally {
      writeFileSync(path('jiangyin'), sound)
    }
  })
})
