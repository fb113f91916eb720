/** The console: one list says every page, who may see it and what shows it; a path that is not in the list is nothing. */
import { Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { html } from 'hono/html'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { agreementsPage } from './agreements-page.ts'
import { answerPage, askNow, askPage } from './ask-page.ts'
import { acknowledgeContradiction } from './contradictions.ts'
import { todayChart } from './day-questions.ts'
import { BASE, type Console, type Desk, type Visited } from './desk.ts'
import { enterprisePage, enterpriseSheet, exportEnterprise } from './enterprise.ts'
import { entryPage, originalsPage, verifyPage } from './entry-page.ts'
import { exportInbound, exportOutbound } from './export.ts'
import { page, policy, style, stylePath, trouble } from './layout.ts'
import { inboundPage, outboundPage } from './log.ts'
import { mappingsPage } from './mappings-page.ts'
import { membersPage } from './members-page.ts'
import { recordsPage } from './records.ts'
import { madePage, makeReport, printPage, reportFile, reportPage } from './report-page.ts'
import type { Role } from './staff.ts'
import { todayPage } from './today.ts'
import { acknowledge, unusualPage } from './unusual-page.ts'
import { type Language, spoken } from './words.ts'

type Page = {
  readonly path: `/${string}`
  /** The least that one has to be. Every POST also carries the session's token, which the guard checks. */
  readonly role: Role
  readonly get?: Visited
  readonly post?: Visited
}

/** Every page. What is recorded of a visit, the page itself says, since it knows whom it shows. */
export const pages: readonly Page[] = [
  { path: '/', role: 'viewer', get: todayPage },
  { path: '/chart/in.svg', role: 'viewer', get: todayChart },
  { path: '/chart/out.svg', role: 'viewer', get: todayChart },
  { path: '/contradiction', role: 'operator', post: acknowledgeContradiction },
  { path: '/in', role: 'viewer', get: inboundPage },
  { path: '/in/export', role: 'auditor', post: exportInbound },
  { path: '/out', role: 'viewer', get: outboundPage },
  { path: '/out/export', role: 'auditor', post: exportOutbound },
  { path: '/enterprise', role: 'auditor', get: enterprisePage },
  { path: '/enterprise/print', role: 'auditor', get: enterpriseSheet },
  { path: '/enterprise/export', role: 'auditor', post: exportEnterprise },
  { path: '/entry/:index{[0-9]+}', role: 'viewer', get: entryPage },
  { path: '/entry/:index{[0-9]+}/originals', role: 'auditor', get: originalsPage },
  { path: '/entry/:index{[0-9]+}/verify', role: 'auditor', post: verifyPage },
  { path: '/records', role: 'auditor', get: recordsPage },
  { path: '/agreements', role: 'viewer', get: agreementsPage },
  { path: '/mappings', role: 'viewer', get: mappingsPage },
  { path: '/members', role: 'viewer', get: membersPage },
  { path: '/unusual', role: 'auditor', get: unusualPage },
  { path: '/unusual', role: 'operator', post: acknowledge },
  { path: '/ask', role: 'operator', get: askPage, post: askNow },
  { path: '/ask/answer', role: 'operator', get: answerPage },
  { path: '/report', role: 'operator', get: reportPage, post: makeReport },
  { path: '/report/made', role: 'operator', get: madePage },
  { path: '/report/print', role: 'operator', get: printPage },
  { path: '/report/file', role: 'operator', get: reportFile },
]

const LANGUAGE = 'xinqiao-language'

/**
 * The console as an app to be mounted at `BASE`. Everything it answers carries the strict policy and is kept by no cache but
 * the stylesheet, whose address changes with its text.
 */
export function consoleOf(desk: Desk): Hono<Console> {
  const app = new Hono<Console>()
  app.use(async (c, next) => {
    c.header('content-security-policy', policy())
    c.header('x-content-type-options', 'nosniff')
    // `no-referrer` would also take the origin from our own forms, by which they are told from others'.
    c.header('referrer-policy', 'same-origin')
    c.header('cross-origin-opener-policy', 'same-origin')
    c.header('cache-control', 'no-store')
    c.set('desk', desk)
    const wanted = asLanguage(c.req.query('lang'))
    if (wanted !== undefined) {
      const secure = new URL(c.req.url).protocol === 'https:'
      setCookie(c, LANGUAGE, wanted, { path: BASE, maxAge: 31_536_000, sameSite: 'Lax', httpOnly: true, secure })
    }
    c.set('language', wanted ?? asLanguage(getCookie(c, LANGUAGE)) ?? 'zh')
    await next()
  })
  app.get(stylePath, c => {
    c.header('cache-control', 'public, max-age=31536000, immutable')
    return c.body(style, 200, { 'content-type': 'text/css; charset=utf-8' })
  })
  app.get('/icon.svg', c => {
    c.header('cache-control', 'public, max-age=86400')
    return c.body(ICON, 200, { 'content-type': 'image/svg+xml' })
  })
  desk.staff.routes(app)
  for (const { path, role, get, post } of pages) {
    if (get !== undefined) app.get(path, desk.staff.require(role), get)
    if (post !== undefined) app.post(path, desk.staff.require(role), post)
  }
  app.all('*', desk.staff.require('viewer'), async c => {
    if (c.req.path === `${BASE}/`) return c.redirect(`${BASE}${new URL(c.req.url).search}`)
    const t = words[c.get('language')]
    const back = html`<p><a class="button" href="${BASE}">${t.back}</a></p>`
    return page(
      c,
      { title: t.nothing, status: 404 },
      html`<h1>${t.nothing}</h1>${trouble(t.nothing, t.nothingWhy)}${back}`,
    )
  })
  app.onError((error, c) => {
    const refusal = error instanceof Refusal ? error : refuse('fault', undefined, error)
    desk.note(refusal)
    const t = words[c.get('language')]
    const why = refusal.public[c.get('language')]
    const status = refusal.status === 413 || refusal.status === 503 ? refusal.status : 500
    return page(c, { title: t.failed, status }, html`<h1>${t.failed}</h1>${trouble(why, t.tryAgain)}`)
  })
  return app
}

function asLanguage(text: string | undefined): Language | undefined {
  return text === 'zh' || text === 'en' ? text : undefined
}

const words = spoken({
  nothing: { zh: '没有这个页面', en: 'There is no such page' },
  nothingWhy: { zh: '地址可能写错了，或者页面已经移走。', en: 'The address may be mistyped, or the page has moved.' },
  failed: { zh: '页面暂时无法显示', en: 'The page cannot be shown now' },
  tryAgain: {
    zh: '请稍后再试；仍然不行时，请联系网关管理员查看运行日志。',
    en: 'Try again in a while; if it stays, the gateway’s log says why.',
  },
  back: { zh: '回到今日', en: 'Back to today' },
})

/** A bridge in the accent of the console; drawn here, so that nothing is fetched. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#17456f"/><path d="M5 21h22M8 21c0-9 16-9 16 0M13 21v-6M19 21v-6" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/></svg>\n'
