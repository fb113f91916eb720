import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { answered, company, uuid7 } from '../ledger/sample.ts'
import { hasChromium, openBrowser, seat, widths } from './browser.ts'
import { type Staffed, staffed } from './staffed.ts'

const markup = '<img src=x onerror="window.ran=1">'
const firm = '91441300XXXXXX019D'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const Findings = z.object({
  violations: z.array(
    z.object({ id: z.string(), impact: z.string().nullable(), nodes: z.array(z.object({ html: z.string() })) }),
  ),
})

/** What is wrong with a page as it stands: for those who cannot see it, for a narrow screen, and by markup of others. */
async function wrong(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const { violations } = Findings.parse(await page.evaluate("axe.run(document, { resultTypes: ['violations'] })"))
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  const overflow = z.number().parse(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
  const ran = await page.evaluate('window.ran !== undefined || document.querySelector("img[src=x]") !== null')
  return [
    ...grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`),
    ...(overflow > 0 ? [`wider than the screen by ${overflow}`] : []),
    ...(ran === true ? ['markup of others ran'] : []),
  ]
}

describe.skipIf(!hasChromium)('asking, in a browser (/usr/bin/chromium)', () => {
  let here: Staffed
  let browser: Browser
  let url = ''
  beforeAll(async () => {
    here = await staffed({
      cities: ['jiangyin', 'huizhou', 'jimo'],
      tables: { huizhou: `UPDATE SGS_XZCF SET CF_XDR_MC = CF_XDR_MC || '${markup}'` },
    })
    const { city, insideUrl } = here.running.gateway('jiangyin')
    url = insideUrl
    const walk = Array.from(
      { length: 60 },
      (_, i) => answered({ jti: uuid7(), subjects: [company(i)], matter: markup }).entry,
    )
    await Promise.all(walk.map(entry => city.ledger.append(entry)))
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await here?.[Symbol.asyncDispose]()
  }, 60_000)

  /** As an operator would, by keyboard and without a script: gives where the browser is then. */
  const ask = async (page: Page) => {
    await page.goto(`${url}/console/ask`)
    await page.getByLabel('目的').selectOption('tendering')
    await page.getByLabel('事由').fill('澄招〔2026〕44号')
    await page.getByLabel('统一社会信用代码').fill(firm)
    await page.getByLabel('统一社会信用代码').press('Tab')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/ask\/answer/)
  }

  it('works without a script, and asks nobody again when the page is loaded again', async () => {
    const context = await seat(browser, url, { who: here.by.operator, javaScript: false })
    const page = await context.newPage()
    await ask(page)
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('查询结果')
    const before = (await here.entries('asked')).length
    await page.reload()
    await page.goBack()
    await page.goForward()
    expect((await here.entries('asked')).length).toBe(before)
    await context.close()
  })

  it.each(Object.keys(widths).filter(width => width === 'desktop' || width === 'phone'))(
    'is sound at %s width: form, answer, report, alerts, an agreement, mappings and members',
    async width => {
      for (const dark of [false, true]) {
        const context = await seat(browser, url, { who: here.by.operator, width, dark })
        const page = await context.newPage()
        await ask(page)
        expect(['answer', await wrong(page)]).toEqual(['answer', []])
        for (const summary of await page.locator('summary').all()) await summary.click()
        expect(['answer, unfolded', await wrong(page)]).toEqual(['answer, unfolded', []])
        for (const path of [
          'unusual',
          'agreements?agreement=jiangyin-huizhou-2026',
          'mappings?family=penalty',
          'members',
        ]) {
          await page.goto(`${url}/console/${path}`)
          for (const summary of await page.locator('summary').all()) await summary.click()
          expect([path, await wrong(page)]).toEqual([path, []])
        }
        await page.goto(`${url}/console/report?codes=${firm}`)
        await page.getByLabel('目的').selectOption('tendering')
        await page.getByLabel('事由').fill('澄招〔2026〕44号')
        await page.getByRole('button', { name: '出具报告' }).click()
        await page.waitForURL(/\/report\/made/)
        expect(['made', await wrong(page)]).toEqual(['made', []])
        await page.getByRole('link', { name: '打印页' }).click()
        expect(await page.title()).toContain('公共信用信息跨市查询报告')
        await context.close()
      }
    },
    120_000,
  )
})
