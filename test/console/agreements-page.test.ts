import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatted } from '#agreement/agreement.ts'
import { agreementId } from '../federation.ts'
import { type Staffed, said, staffed } from './staffed.ts'

const title = '<script>alert("甲")</script>协议'

describe('the page of agreements', () => {
  let here: Staffed
  beforeAll(async () => {
    here = await staffed({
      cities: ['jiangyin', 'huizhou', 'jimo'],
      edit: agreement => {
        if (agreement['id'] === agreementId) agreement['title'] = { zh: title, en: '<b>bold</b>' }
      },
    })
  })
  afterAll(() => here[Symbol.asyncDispose]())
  const folder = () => join(here.running.federation.folder, 'federation-config', 'agreements')

  it('lists every agreement that names us, with its days and how many have signed, to a viewer', async () => {
    const { status, text } = await here.by.viewer.get('/console/agreements')
    expect(status).toBe(200)
    expect(said(text)).toMatch(/jiangyin-huizhou-2026 .* 2 \/ 2 有效/)
    expect(said(text)).toContain('jimo-jiangyin-2026')
    expect(text).not.toContain('<script')
  })

  it('shows a title for what it is, a text', async () => {
    const { text } = await here.by.viewer.get(`/console/agreements?agreement=${agreementId}`)
    expect(text).toContain('&lt;script&gt;alert(&quot;甲&quot;)&lt;/script&gt;协议')
    expect(text).not.toMatch(/<script|<b>bold/)
    const english = await here.by.viewer.get(`/console/agreements?agreement=${agreementId}&lang=en`)
    expect(said(english.text)).toContain('<b>bold</b>')
    await here.by.viewer.get('/console/agreements?lang=zh')
  })

  it('shows who signed, by which key, and until when that is certified', async () => {
    const { text } = await here.by.viewer.get(`/console/agreements?agreement=${agreementId}`)
    const [key] = here.running.gateway('jiangyin').city.members.find('huizhou')?.keys.values() ?? []
    expect(said(text)).toMatch(new RegExp(`惠州市? 有效 ${key?.kid.slice(0, 12)}… 20\\d\\d-\\d\\d-\\d\\d`))
  })

  it('shows what is given field by field, with share level and clause, each way by itself', async () => {
    const at = `/console/agreements?agreement=${agreementId}&peer=huizhou`
    const out = said((await here.by.viewer.get(`${at}&way=out`)).text)
    expect(out).toMatch(/社会公开 第三条/)
    expect(out).toMatch(/江阴市?提供给惠州/)
    const back = said((await here.by.viewer.get(`${at}&way=in`)).text)
    expect(back).toMatch(/惠州市?提供给江阴/)
    expect(back).not.toEqual(out)
  })

  it('names the lists of each clause by itself: no clause lends another its lists', async () => {
    const { city } = here.running.gateway('jiangyin')
    const signed = city.agreements.find('jimo-jiangyin-2026')
    const page = said(
      (await here.by.viewer.get('/console/agreements?agreement=jimo-jiangyin-2026&peer=jimo&way=in')).text,
    )
    const grants = signed?.text.grants.filter(({ from }) => from.includes('jimo')) ?? []
    const named = grants.flatMap(({ clause, families }) =>
      (families['list']?.lists ?? []).map(list => ({ clause, list })),
    )
    expect(named.length).toBeGreaterThan(2)
    for (const { clause, list } of named) {
      const name = city.vocabulary.lists.get(list)?.zh ?? ''
      const [line = ''] = new RegExp(`${RegExp.escape(clause)} · 名单：[^·]*`).exec(page) ?? []
      expect(line).toContain(name)
    }
  })

  it('says nothing is given where the agreement has no clause, and knows no agreement but ours', async () => {
    expect((await here.by.viewer.get('/console/agreements?agreement=nothing')).status).toBe(404)
    expect((await here.by.viewer.get('/console/agreements?agreement=../members/huizhou')).status).toBe(404)
  })

  it('checks each signature when it is looked at: one that is changed on the disk is no longer valid', async () => {
    const path = join(folder(), `${agreementId}.huizhou.jws`)
    const sound = readFileSync(path, 'utf8')
    const [header = '', , signature = ''] = sound.trim().split('.')
    const other = `${signature.slice(0, 20)}${signature[20] === 'A' ? 'B' : 'A'}${signature.slice(21)}`
    try {
      writeFileSync(path, `${header}..${other}\n`)
      const { text } = await here.by.viewer.get(`/console/agreements?agreement=${agreementId}`)
      expect(said(text)).toMatch(/惠州市? 无效 .*token\.signature/)
      writeFileSync(path, 'nonsense')
      expect(said((await here.by.viewer.get('/console/agreements')).text)).toMatch(/jiangyin-huizhou-2026 .* 1 \/ 2/)
    } finally {
      writeFileSync(path, sound)
    }
  })

  it('says so where the text on the disk is not the one that is in use', async () => {
    const path = join(folder(), `${agreementId}.json`)
    const sound = readFileSync(path, 'utf8')
    try {
      writeFileSync(
        path,
        formatted({ ...JSON.parse(sound), quota: { questionsPerMinute: 9_999, subjectsPerDay: 9_999 } }),
      )
      const { text } = await here.by.viewer.get(`/console/agreements?agreement=${agreementId}`)
      expect(said(text)).toContain('文本未采用')
      expect(said(text)).toMatch(/无效 .*token\.signature/)
      expect(said(text)).not.toContain('提供范围')
    } finally {
      writeFileSync(path, sound)
    }
  })
})
