import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Entry } from '#ledger/entry.ts'
import { answered, company, uuid7 } from '../ledger/sample.ts'
import { type Staffed, said, staffed } from './staffed.ts'
import { tokenIn } from './visitor.ts'

const script = '<script>alert(1)</script>'

describe('the page of unusual use', () => {
  let here: Staffed
  beforeAll(async () => {
    here = await staffed()
    const { ledger } = here.running.gateway('jiangyin').city
    // A walk through sixty codes, and one matter for all of them and many more.
    const now = Date.now()
    const walk = Array.from({ length: 60 }, (_, i): Entry => {
      const at = new Date(now + i).toISOString()
      return answered({ at, jti: uuid7(), subjects: [company(i)], matter: `档案 ${i}` }).entry
    })
    const one = Array.from({ length: 21 }, (_, i): Entry => {
      const subjects = Array.from({ length: 10 }, (_, j) => company(900_000 - (i * 10 + j) * 4_000))
      const at = new Date(now + 60 + i).toISOString()
      const status = subjects.map(() => 'answered' as const)
      const records = subjects.map(() => 1)
      const disclosed = { licence: { fields: ['name'], records } }
      return answered({ at, jti: uuid7(), subjects, status, disclosed, matter: `专项 ${script}` }).entry
    })
    await Promise.all([...walk, ...one].map(entry => ledger.append(entry)))
  })
  afterAll(() => here[Symbol.asyncDispose]())

  it('is not for a viewer, who is told so', async () => {
    const { status, text } = await here.by.viewer.get('/console/unusual')
    expect(status).toBe(403)
    expect(text).not.toContain('逐个试查代码')
  })

  it('says who, what, since when, held against what, and leads to the log of those minutes', async () => {
    const { status, text } = await here.by.auditor.get('/console/unusual')
    expect(status).toBe(200)
    const page = said(text)
    expect(page).toMatch(/惠州市? · 逐个试查代码 待核实/)
    expect(page).toMatch(/一小时内查询了 \d+ 个此前从未查询过的代码（达到 40 个即留意）/)
    expect(page).toMatch(/以同一事由“专项 <script>alert\(1\)<\/script>”查询了 210 个主体/)
    expect(page).toMatch(/第 \d+ 条至第 \d+ 条/)
    const [link = ''] = /\/console\/in\?[^"]+/.exec(text) ?? []
    expect((await here.by.auditor.get(link.replaceAll('&amp;', '&'))).status).toBe(200)
  })

  it('names no enterprise, and shows markup in a matter as a text', async () => {
    const { text } = await here.by.auditor.get('/console/unusual')
    expect(text).not.toMatch(/91320281/)
    expect(text).not.toContain('<script')
  })

  it('says in English what it says in Chinese', async () => {
    const { text } = await here.by.auditor.get('/console/unusual?lang=en')
    expect(said(text)).toMatch(/Walks through codes Open/)
    expect(said(text)).toMatch(/In one hour it asked about \d+ codes it had never asked about/)
    await here.by.auditor.get('/console/unusual?lang=zh')
  })

  it('shows an auditor no form, and takes none', async () => {
    const { text } = await here.by.auditor.get('/console/unusual')
    expect(text).not.toContain('name="reason"')
    const csrf = tokenIn(text)
    const { status } = await here.by.auditor.post('/console/unusual', { _csrf: csrf, alert: 'x', reason: 'y' })
    expect(status).toBe(403)
  })

  it('takes no answer without a reason, for no alert, or from another page', async () => {
    const { text } = await here.by.operator.get('/console/unusual')
    const [, alert = ''] = /name="alert" value="(walk[^"]+)"/.exec(text) ?? []
    const form = { _csrf: tokenIn(text), alert, reason: '已电话核实' }
    expect((await here.by.operator.post('/console/unusual', { ...form, reason: '  ' })).status).toBe(400)
    expect((await here.by.operator.post('/console/unusual', { ...form, reason: '长'.repeat(301) })).status).toBe(400)
    expect((await here.by.operator.post('/console/unusual', { ...form, alert: 'walk:in:x:2026-01-01' })).status).toBe(
      404,
    )
    expect((await here.by.operator.post('/console/unusual', { ...form, _csrf: 'x' })).status).toBe(403)
    expect(await here.entries('staff')).not.toContainEqual(expect.objectContaining({ action: 'acknowledged' }))
  })

  it('is answered for by an operator, in the ledger, with a reason in which no person is named by number', async () => {
    const { text } = await here.by.operator.get('/console/unusual')
    const [, alert = ''] = /name="alert" value="(walk[^"]+)"/.exec(text) ?? []
    const reason = `110101199003077758 已电话核实 <b>13812345678</b>`
    const { status, location } = await here.by.operator.post('/console/unusual', {
      _csrf: tokenIn(text),
      alert,
      reason,
    })
    expect([status, location]).toEqual([303, '/console/unusual'])
    const [entry] = (await here.entries('staff')).filter(({ action }) => action === 'acknowledged')
    const masked = '****************** 已电话核实 <b>***********</b>'
    expect(entry).toMatchObject({ staff: 'operator', role: 'operator', page: 'unusual', filter: `${alert}: ${masked}` })
    const page = said((await here.by.auditor.get('/console/unusual')).text)
    expect(page).toMatch(/逐个试查代码 已核实/)
    expect(page).toContain(masked)
  })

  it('sees a peer walk through codes over the wire, and counts it in the metrics until somebody answers for it', async () => {
    await using other = await staffed()
    const subjects = Array.from({ length: 60 }, (_, i) => company(i * 3))
    expect((await other.running.query('huizhou', 'jiangyin', { subjects })).status).toBe(200)
    const page = said((await other.by.auditor.get('/console/unusual')).text)
    expect(page).toMatch(/惠州市? · 逐个试查代码 待核实/)
    expect(page).toMatch(
      /一小时内查询了 60 个此前从未查询过的代码（达到 40 个即留意）：其中最多 \d+ 个前后相连成串，所查主体 100% 查无记录/,
    )
    const line = 'xinqiao_unusual_use{direction="in",asker="huizhou",rule="walk"}'
    const metrics = async () => (await fetch(`${other.running.gateway('jiangyin').insideUrl}/metrics`)).text()
    expect(await metrics()).toContain(`${line} 1`)
    const form = (await other.by.operator.get('/console/unusual')).text
    const [, alert = ''] = /name="alert" value="(walk[^"]+)"/.exec(form) ?? []
    await other.by.operator.post('/console/unusual', { _csrf: tokenIn(form), alert, reason: '联调测试' })
    await other.by.auditor.get('/console/unusual')
    expect(await metrics()).not.toContain(line)
  })

  it('finds alerts and answers again after a restart, in the ledger alone', async () => {
    await here.running.restart('jiangyin')
    const { visitor } = await import('./visitor.ts')
    const again = visitor(here.running.gateway('jiangyin').insideUrl)
    for (const [name, value] of here.by.auditor.jar) again.jar.set(name, value)
    const page = said((await again.get('/console/unusual')).text)
    expect(page).toMatch(/逐个试查代码 已核实/)
    expect(page).toMatch(/同一事由查询大量主体 待核实/)
  })
})
