/** Pictures of every page for the manual: both languages, on a desk, on a phone and on paper, of a federation that lives for a minute. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { completeUscc } from '#protocol/subject.ts'
import { issueKey, readDepartments } from '#trust/departments.ts'
import type { Role } from '../../src/console/staff.ts'
import { openBrowser, seat, type Width } from './browser.ts'
import { withPalette } from './png.ts'
import { mandatesOf, names, openScene, usualDay } from './scene.ts'

const folder = process.argv[2] ?? join(import.meta.dirname, '..', '..', 'docs', 'images')
/** In the demo: an enterprise of which three cities keep records. */
const SUBJECT = '91320281XXXXXX0197'
/** What is below this is the same again, and no picture of a page for a book is longer. */
const MOST = 2_400
await using scene = await openScene({
  cities: ['jiangyin', 'huizhou', 'jimo', 'ningbo', 'quzhou', 'suqian'],
  async play(running) {
    // Somebody who tries one code after the other stands out.
    const subjects = Array.from({ length: 60 }, (_, i) => completeUscc(`91320281MA${String(700 + i).padStart(6, '0')}`))
    await running.query('huizhou', 'jiangyin', { subjects, matter: '惠招〔2026〕009号' })
    await usualDay(running, SUBJECT)
  },
})
const departments = join(scene.running.federation.city('jiangyin').settings.data, 'departments.json')
for (const { id, purposes } of readDepartments(departments)) {
  issueKey(departments, { id, name: '招标办', purposes, days: 180 }, Date.now())
}
writeFileSync(mandatesOf(scene.running), JSON.stringify({ [names.operator]: ['demo'] }), { mode: 0o600 })
const { ledger } = scene.running.gateway('jiangyin').city
const first = async (filter: Parameters<typeof ledger.search>[0]) =>
  (await ledger.search(filter, { limit: 1 })).entries[0]?.receipt.index ?? 0
const answered = await first({ kinds: ['answered'], purpose: 'procurement' })
const refused = await first({ kinds: ['refused'] })

type Shot = {
  readonly name: string
  readonly path: string
  readonly role?: Role | 'nobody'
  /** What is done on the page before the picture; done once, and its result is looked at again. */
  readonly act?: (page: Page) => Promise<void>
  readonly paper?: true
}

const asks = async (page: Page) => {
  await page.selectOption('select[name=purpose]', 'tendering')
  await page.fill('input[name=matter]', '澄招〔2026〕00125号')
  await page.fill('[name=codes]', SUBJECT)
  await page.click('main form button.first')
}

const shots: readonly Shot[] = [
  { name: 'sign-in', path: '/sign-in', role: 'nobody' },
  { name: 'today', path: '' },
  { name: 'inbound', path: '/in' },
  { name: 'refused', path: `/entry/${refused}` },
  { name: 'outbound', path: '/out' },
  { name: 'entry', path: `/entry/${answered}` },
  { name: 'verified', path: `/entry/${answered}`, act: page => page.click('form[action$="/verify"] button') },
  { name: 'originals', path: `/entry/${answered}/originals` },
  { name: 'enterprise', path: `/enterprise?code=${SUBJECT}`, role: 'auditor' },
  { name: 'enterprise-sheet', path: `/enterprise/print?code=${SUBJECT}`, role: 'auditor', paper: true },
  { name: 'agreements', path: '/agreements' },
  { name: 'agreement', path: '/agreements', act: page => page.click('main table a') },
  { name: 'mappings', path: '/mappings' },
  { name: 'members', path: '/members' },
  { name: 'unusual', path: '/unusual' },
  { name: 'records', path: '/records', role: 'auditor' },
  { name: 'viewer', path: '/in', role: 'viewer' },
  { name: 'ask', path: '/ask' },
  { name: 'answer', path: '/ask', act: asks },
  { name: 'report', path: '/report', act: asks },
  { name: 'not-permitted', path: '/unusual', role: 'viewer' },
]

const done = new Map<string, string>()

mkdirSync(folder, { recursive: true })
const browser = await openBrowser()
try {
  for (const lang of ['zh', 'en'] as const) {
    for (const width of ['desktop', 'phone'] as const) await takeAll(lang, width)
  }
  for (const lang of ['zh', 'en'] as const) await takeAll(lang, 'desktop', true)
} finally {
  await browser.close()
}

async function takeAll(lang: 'zh' | 'en', width: Width, paper = false): Promise<void> {
  for (const { name, path, role = 'operator', act, paper: isPaper } of shots) {
    if (paper && isPaper === undefined && !['today', 'inbound', 'entry', 'enterprise'].includes(name)) continue
    const who = role === 'nobody' ? undefined : scene.staff[role]
    const context = await seat(browser, scene.url, { width, who, javaScript: false })
    const page = await context.newPage()
    if (paper) {
      await page.emulateMedia({ media: 'print' })
      await page.setViewportSize({ width: 794, height: 1123 })
    }
    const to = new URL(done.get(name) ?? `${scene.url}/console${path}`)
    to.searchParams.set('lang', lang)
    await page.goto(to.href, { waitUntil: 'networkidle' })
    if (!done.has(name)) await act?.(page)
    if (act === asks) done.set(name, page.url())
    await page.waitForLoadState('networkidle')
    const { width: wide, height } = (await page.locator('html').boundingBox()) ?? { width: 0, height: 0 }
    const file = join(folder, `console-${name}-${lang}-${paper ? 'print' : width}.png`)
    const clip = { x: 0, y: 0, width: wide, height: Math.min(height, MOST) }
    writeFileSync(file, withPalette(await page.screenshot({ fullPage: true, clip }), 256))
    await context.close()
    console.log(file)
  }
}
