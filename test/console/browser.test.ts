import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isDeepStrictEqual } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { pages } from '../../src/console/console.ts'
import { reaches } from '../../src/console/layout.ts'
import { codeAt } from '../../src/console/one-time-code.ts'
import type { Role } from '../../src/console/staff.ts'
import { hasChromium, openBrowser, type Seat, seat, widths } from './browser.ts'
import { PASSWORD } from './door.ts'
import { mandatesOf, names, openScene, roles, type Scene, USCC, usualDay } from './scene.ts'

/** Markup as somebody would send it who wants it to run. */
const MARKUP = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>'

/** In the demo: an enterprise that Huizhou punished. */
const PUNISHED = '91441300XXXXXX019D'

/** Every page that is a document, as somebody would open it. */
const opened: readonly { readonly path: string; readonly role: Role }[] = [
  ...pages
    .filter(({ path, get }) => get !== undefined && !/:|\.svg$|\/(print|answer|made|file)$/.test(path))
    .map(({ path, role }) => ({ path: path === '/' ? '' : path, role })),
  { path: '?day=yesterday', role: 'viewer' },
  { path: '/in?outcome=refused', role: 'viewer' },
  { path: `/in?matter=${encodeURIComponent(MARKUP)}`, role: 'viewer' },
  { path: '/out?from=2020-01-01&until=2020-01-02', role: 'viewer' },
  { path: '/entry/1', role: 'viewer' },
  { path: '/entry/1/originals', role: 'auditor' },
  { path: `/enterprise?code=${USCC}`, role: 'auditor' },
  { path: `/enterprise?code=${encodeURIComponent(MARKUP)}`, role: 'auditor' },
  { path: `/enterprise/print?code=${USCC}`, role: 'auditor' },
  { path: '/no-such-page', role: 'viewer' },
]
const tags = { zh: 'zh-CN', en: 'en' } as const

/** The tag of a page's language: the sheet for an enterprise is in Chinese, whatever the language of the clerk. */
function languageOf(path: string, lang: 'zh' | 'en'): string {
  return path.startsWith('/enterprise/print') ? tags.zh : tags[lang]
}

const expectedStatus = new Map([
  ['/no-such-page', 404],
  [`/enterprise?code=${encodeURIComponent(MARKUP)}`, 400],
])

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const Findings = z.array(
  z.object({ id: z.string(), impact: z.string().nullable(), nodes: z.array(z.object({ html: z.string() })) }),
)

/** What axe-core finds serious or critical, with the place. It comes in past the page's policy, as a debugger does. */
async function grave(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  const found = Findings.parse(
    await page.evaluate(
      "axe.run(document, { resultTypes: ['violations'], selectors: false }).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact: impact ?? null, nodes: nodes.map(({ html }) => ({ html })) })))",
    ),
  )
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
}

/** What is not as it has to be on every page, whoever looks at it; `lang` is the tag of its language. */
async function unsound(page: Page, lang: string): Promise<string[]> {
  const { overflow, ...seen } = await page.evaluate(() => {
    const root = globalThis as unknown as { document: Doc; innerWidth: number; ran?: number }
    const { document } = root
    return {
      ran: root.ran !== undefined,
      injected: document.querySelectorAll('img[src="x"], script:not([src])').length,
      inline: document.querySelectorAll('[style], style, [onclick], [onload]').length,
      headings: document.querySelectorAll('h1').length,
      lang: document.documentElement.lang,
      overflow: document.documentElement.scrollWidth - root.innerWidth,
    }
  })
  const wanted = { ran: false, injected: 0, inline: 0, headings: 1, lang }
  return [
    ...(isDeepStrictEqual(seen, wanted) ? [] : [JSON.stringify(seen)]),
    ...(overflow > 0 ? [`wider than the screen by ${overflow}`] : []),
  ]
}

/** What one role saw on all pages in both languages; each page is opened once in each. */
type Walk = {
  /** What was wrong, with the place. */
  readonly wrong: readonly string[]
  /** What axe-core found in Chinese on a desk in the light, and in English on a phone in the dark. */
  readonly grave: readonly string[]
  /** All pages in Chinese, but for addresses. */
  readonly text: string
}

describe.skipIf(!hasChromium)('the console in a browser (/usr/bin/chromium)', () => {
  let scene: Scene
  let browser: Browser
  beforeAll(async () => {
    scene = await openScene({
      cities: ['jiangyin', 'huizhou', 'jimo'],
      prepare(config) {
        const path = join(config, 'members', 'huizhou.json')
        const member: unknown = JSON.parse(readFileSync(path, 'utf8'))
        writeFileSync(
          path,
          JSON.stringify({ ...Object(member), name: { zh: `惠州${MARKUP}`, en: `Huizhou${MARKUP}` } }),
        )
      },
      async play(running) {
        await running.query('huizhou', 'jiangyin', {
          matter: MARKUP,
          want: [{ family: 'licence' }, { family: 'penalty' }],
        })
        await usualDay(running)
        // What the peer answers with, and what its tables hold for names.
        const { data } = running.federation.city('huizhou').settings
        using tables = new DatabaseSync(join(data, 'city.sqlite'))
        tables.prepare('update SGS_XZCF set CF_XDR_MC = ?, CF_NR = ?, CF_CFLB = ?').run(MARKUP, MARKUP, MARKUP)
      },
    })
    writeFileSync(mandatesOf(scene.running), JSON.stringify({ [names.operator]: ['demo'] }), { mode: 0o600 })
    browser = await openBrowser()
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await scene?.[Symbol.asyncDispose]()
  }, 60_000)

  /** Opens a page in a window of its own and gives it with what it loaded and complained of. */
  const visiting = async (options: Seat, use: (page: Page, complaints: string[]) => Promise<void>) => {
    const context = await seat(browser, scene.url, options)
    try {
      const page = await context.newPage()
      const complaints: string[] = []
      page.on('request', request => {
        const { origin, protocol } = new URL(request.url())
        if (protocol !== 'data:' && origin !== scene.url) complaints.push(`another host: ${request.url()}`)
      })
      page.on('requestfailed', request => {
        // What was under way when the next page was asked for is given up by the browser itself.
        const why = request.failure()?.errorText
        if (why !== 'net::ERR_ABORTED') complaints.push(`failed: ${request.url()} ${why}`)
      })
      page.on('pageerror', error => complaints.push(`error: ${error.message}`))
      page.on('console', message => {
        if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text())
      })
      await use(page, complaints)
    } finally {
      await context.close()
    }
  }
  let walks: Readonly<Record<Role, Promise<Walk>>> | undefined
  /** The walk of a role; all begin with the first that is asked for, since each waits for the server most of its time. */
  const walked = (role: Role): Promise<Walk> => {
    walks ??= { viewer: walk('viewer'), auditor: walk('auditor'), operator: walk('operator') }
    return walks[role]
  }
  const walk = async (role: Role): Promise<Walk> => {
    const [zh, en] = await Promise.all([walkIn('zh', role), walkIn('en', role)])
    return { wrong: [...zh.wrong, ...en.wrong], grave: [...zh.grave, ...en.grave], text: zh.text }
  }
  const walkIn = async (lang: 'zh' | 'en', role: Role): Promise<Walk> => {
    const [wrong, found, texts]: [string[], string[], string[]] = [[], [], []]
    await visiting({ who: scene.staff[role] }, async (page, complaints) => {
      for (const { path, role: needed } of opened) {
        const to = `${scene.url}/console${path}${path.includes('?') ? '&' : '?'}lang=${lang}`
        await page.setViewportSize(widths.desktop)
        const status = (await page.goto(to, { waitUntil: 'load' }))?.status()
        const wanted = reaches(role, needed) ? (expectedStatus.get(path) ?? 200) : 403
        if (status !== wanted) wrong.push(`${to}: ${status} instead of ${wanted}`)
        const spoken = wanted === 200 ? languageOf(path, lang) : tags[lang]
        if (lang === 'zh') texts.push(await page.content())
        wrong.push(...(await unsound(page, spoken)).map(each => `${to} on a desk: ${each}`))
        if (role === 'operator' && lang === 'zh') found.push(...(await grave(page)).map(each => `${to}: ${each}`))
        await page.setViewportSize(widths.phone)
        wrong.push(...(await unsound(page, spoken)).map(each => `${to} on a phone: ${each}`))
        if (role === 'operator' && lang === 'en') {
          await page.emulateMedia({ colorScheme: 'dark' })
          found.push(...(await grave(page)).map(each => `${to} in the dark: ${each}`))
          await page.emulateMedia({ colorScheme: 'light' })
        }
        wrong.push(...complaints.splice(0).map(each => `${to}: ${each}`))
      }
    })
    const text = texts.join('\n').replaceAll(new RegExp(`(code|subject)=${USCC}`, 'g'), '')
    return { wrong, grave: found, text }
  }

  for (const role of roles) {
    it(`shows every page to the ${role} in both languages, on a desk and on a phone, and nothing that was injected runs`, async () => {
      expect((await walked(role)).wrong).toEqual([])
    }, 120_000)
  }

  it('has nothing that axe-core calls serious or critical, in light on a desk and in the dark on a phone', async () => {
    const { grave: found } = await walked('operator')
    expect(found).toEqual([])
    await visiting({}, async page => {
      await page.goto(`${scene.url}/console`)
      expect(await grave(page)).toEqual([])
    })
  }, 120_000)

  it('shows injected markup as the text that it is', async () => {
    await visiting({ who: scene.staff.operator }, async page => {
      await page.goto(`${scene.url}/console/in`)
      const row = page.locator('tr', { hasText: 'onerror' }).first()
      expect(await row.innerText()).toContain(MARKUP)
      await row.locator('a').first().click()
      expect(await page.locator('main').innerText()).toContain(MARKUP)
    })
  }, 60_000)

  it('shortens codes for a viewer on every page, and shows them whole to an auditor', async () => {
    const { text: viewer } = await walked('viewer')
    expect(viewer).toContain(`${USCC.slice(0, 4)}…${USCC.slice(-4)}`)
    expect(viewer).not.toContain(USCC)
    expect((await walked('auditor')).text).toContain(USCC)
  }, 120_000)

  it.each(['viewer', 'auditor'] as const)(
    'refuses by request what the %s may not do by page',
    async role => {
      const who = scene.staff[role]
      const csrf = /name="_csrf" value="([^"]+)"/.exec((await who.get('/console')).text)?.[1] ?? ''
      expect(csrf).not.toBe('')
      for (const { path, role: needed, get, post } of pages) {
        if (reaches(role, needed)) continue
        const at = `/console${path.replace(/:\w+(\{[^}]*\})?/, '0')}`
        if (get !== undefined) expect([path, (await who.get(at)).status]).toEqual([path, 403])
        if (post !== undefined)
          expect([path, (await who.post(at, { _csrf: csrf, code: USCC })).status]).toEqual([path, 403])
      }
    },
    60_000,
  )

  it('refuses a viewer who looks for a code by its address', async () => {
    const { status, text } = await scene.staff.viewer.get(`/console/in?subject=${USCC}`)
    expect(status).toBe(403)
    expect(text).not.toContain('/console/entry/')
  })

  it('takes somebody without a script from the sign-in to a refused question, its reason, its proof and a file of it', async () => {
    const person = await scene.newcomer('auditor')
    await visiting({ javaScript: false }, async (page, complaints) => {
      await page.goto(`${scene.url}/console`)
      await page.fill('input[name=name]', person.name)
      await page.fill('input[name=password]', PASSWORD)
      await page.fill('input[name=code]', codeAt(person.codeSecret, Date.now()))
      await page.click('main button')
      await page.waitForURL(/\/console$/)
      await page.click('a[href^="/console/in?"][href*="agreement.purpose"]')
      expect(await page.locator('tbody').innerText()).toContain('惠评〔2026〕7号')
      await page.click('tbody a')
      expect(await page.locator('.said').innerText()).toContain('协议未约定该查询目的')
      await page.click('form[action$="/verify"] button')
      expect(await page.locator('.findings .tag.bad').count()).toBe(0)
      expect(await page.locator('.findings .tag.good').count()).toBeGreaterThan(4)
      await page.goto(`${scene.url}/console/in?outcome=refused`)
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('button[value=csv]')])
      const file = readFileSync(await download.path(), 'utf8')
      expect(file).toMatch(/^\ufeff"日志序号"/)
      expect(file).toContain('"惠评〔2026〕7号"')
      expect(complaints).toEqual([])
    })
  }, 90_000)

  it.each([
    { lang: 'zh', width: 'desktop', dark: false },
    { lang: 'en', width: 'phone', dark: true },
  ] as const)(
    'asks all cities, and makes a report, in which nothing injected runs ($lang, $width)',
    async ({ lang, width, dark }) => {
      await visiting({ width, dark, who: scene.staff.operator }, async (page, complaints) => {
        const found: string[] = []
        const fill = async (path: string) => {
          await page.goto(`${scene.url}/console${path}?lang=${lang}`)
          await page.selectOption('select[name=purpose]', 'tendering')
          await page.fill('input[name=matter]', MARKUP)
          await page.fill('[name=codes]', PUNISHED)
          await page.click('main form button.first')
        }
        const seen = async () => {
          const at = new URL(page.url()).pathname
          expect([at, await unsound(page, tags[lang])]).toEqual([at, []])
          found.push(...(await grave(page)).map(each => `${at} ${each}`))
        }
        await fill('/ask')
        expect(page.url()).toContain('/ask/answer')
        await seen()
        expect(await page.locator('main').textContent()).toContain(PUNISHED)
        expect((await page.locator('main').textContent())?.split(MARKUP).length).toBeGreaterThan(4)
        await fill('/report')
        expect(page.url()).toContain('/report/made')
        await seen()
        expect(found).toEqual([])
        expect(complaints).toEqual([])
      })
    },
    60_000,
  )

  it('narrows the log on a phone without a script: what was found is on the first screen, and the form is one key away', async () => {
    await visiting({ who: scene.staff.auditor, width: 'phone', javaScript: false }, async page => {
      await page.goto(`${scene.url}/console/in`)
      await page.selectOption('select[name=outcome]', 'refused')
      await page.click('form.filter button')
      const { height } = widths.phone
      const row = await page.locator('tbody tr').first().boundingBox()
      expect((row?.y ?? height) + (row?.height ?? 0)).toBeLessThan(height)
      const form = page.locator('form.filter')
      const summary = page.locator('.looks summary')
      expect([await form.isVisible(), await summary.innerText()]).toEqual([false, '筛选：未受理'])
      await page.emulateMedia({ media: 'print' })
      expect([await summary.isVisible(), await page.locator('.looks > a').isVisible()]).toEqual([true, false])
      await page.emulateMedia({ media: 'screen' })
      await summary.focus()
      await page.keyboard.press('Enter')
      expect(await form.isVisible()).toBe(true)
      await page.fill('input[name=matter]', '7号')
      await page.click('form.filter button')
      expect(await summary.innerText()).toBe('筛选：未受理 · 事由含“7号”')
      await page.click('.looks > a')
      expect([new URL(page.url()).pathname, await form.isVisible()]).toEqual(['/console/in', true])
    })
  }, 60_000)

  it('keeps the places of the menu, whichever page one is on', async () => {
    await visiting({ who: scene.staff.operator }, async page => {
      const places = new Set<string>()
      for (const path of ['', '/in', '/unusual', '/records']) {
        await page.goto(`${scene.url}/console${path}?lang=en`)
        const boxes = await Promise.all((await page.locator('.pages a').all()).map(link => link.boundingBox()))
        places.add(JSON.stringify(boxes.map(box => [box?.x, box?.width])))
      }
      expect(places.size).toBe(1)
      await page.goto(`${scene.url}/console?lang=zh`)
    })
  }, 60_000)

  it('says of each subject on a phone what its code is', async () => {
    await visiting({ who: scene.staff.auditor, width: 'phone' }, async page => {
      await page.goto(`${scene.url}/console/in?outcome=refused`)
      await page.click('tbody a')
      const label = await page.locator('tbody th').first().evaluate(beforeOf)
      expect(label).toBe('"主体代码"')
    })
  }, 60_000)

  it('can be gone through by keyboard: the first stop leads past the navigation, and focus is seen', async () => {
    await visiting({ who: scene.staff.viewer }, async page => {
      await page.goto(`${scene.url}/console`)
      await page.keyboard.press('Tab')
      const skip = page.locator(':focus')
      expect(await skip.getAttribute('href')).toBe('#content')
      expect((await skip.boundingBox())?.y).toBeGreaterThanOrEqual(0)
      await page.keyboard.press('Enter')
      expect(new URL(page.url()).hash).toBe('#content')
      await page.keyboard.press('Tab')
      expect(await page.locator('main :focus').count()).toBe(1)
      expect(await page.locator(':focus').evaluate(outlineOf)).toBe('solid')
    })
  }, 60_000)
})

/** As much of the browser's document as is looked at here; the compiler knows no browser. */
type Doc = {
  readonly documentElement: { readonly scrollWidth: number; readonly lang: string }
  querySelectorAll(selector: string): { readonly length: number }
}

function outlineOf(element: unknown): string {
  const { getComputedStyle } = globalThis as unknown as { getComputedStyle(element: unknown): { outlineStyle: string } }
  return getComputedStyle(element).outlineStyle
}

function beforeOf(element: unknown): string {
  const { getComputedStyle } = globalThis as unknown as {
    getComputedStyle(element: unknown, part: string): { content: string }
  }
  return getComputedStyle(element, '::before').content
}
