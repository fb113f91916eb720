/** A passkey is enrolled by a link that serves once, and then signs in by itself; these two pages alone run a script. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hono } from 'hono'
import { html } from 'hono/html'
import { z } from 'zod'
import { type Accounts, provedBy } from './accounts.ts'
import { BASE, type Console, type Visit } from './desk.ts'
import { field, TOKEN } from './form.ts'
import { type Hall, wayBack } from './hall.ts'
import { type Markup, page } from './layout.ts'
import { PATIENCE, type Passkeys } from './passkeys.ts'
import { doorWords, type Sorry, sorry, sorryPage, strangeFormPage, tooMany } from './sign-in-words.ts'

const script = readFileSync(join(import.meta.dirname, 'passkey.js'), 'utf8')
const scriptPath = `/passkey.${hash('sha256', script, 'hex').slice(0, 16)}.js`
const Challenge = z.strictObject({ challenge: z.string() })

export function passkeyPages(app: Hono<Console>, hall: Hall, keys: Passkeys): void {
  app.get(scriptPath, c => {
    c.header('cache-control', 'public, max-age=31536000, immutable')
    return c.body(script, 200, { 'content-type': 'text/javascript; charset=utf-8' })
  })

  app.get('/sign-in/passkey', async c => {
    const back = wayBack(c.req.query('return'))
    return hall.isIn(c) ? c.redirect(back, 303) : asking(c, back, 200, '')
  })
  app.post('/sign-in/passkey', async c => {
    if (!(await hall.isOurVisit(c))) return strangeFormPage(c)
    const back = wayBack(await field(c, 'return'))
    const counted = hall.counted(c)
    const wait = hall.wait(counted)
    if (wait > 0) return asking(c, back, 429, sorry(tooMany(c, wait), c))
    const challenge = answered(c, 'sign-in')
    const answer = await field(c, 'credential')
    const known = hall.accounts?.passkey(keys.idOf(answer) ?? '')
    const uses =
      known === undefined || challenge === undefined
        ? undefined
        : await keys.proved(answer, challenge, known.passkey, known.account.handle)
    if (known === undefined || uses === undefined) {
      await hall.turnAway(known?.account.name)
      return asking(c, back, 401, sorry(wrong, c))
    }
    hall.accounts?.used(known.passkey.id, uses)
    await hall.admit(c, provedBy(known.account), counted)
    return c.redirect(back, 303)
  })

  app.get('/enrol/:link', async c => {
    const account = hall.accounts?.invited(c.req.param('link'), hall.now())
    if (account === undefined) return ended(c)
    return enrolling(c, account, 200, '')
  })
  app.post('/enrol/:link', async c => {
    if (!(await hall.isOurVisit(c))) return strangeFormPage(c)
    const link = c.req.param('link')
    const account = hall.accounts?.invited(link, hall.now())
    if (account === undefined) return ended(c)
    const challenge = answered(c, 'enrol')
    const passkey = challenge && (await keys.registered(await field(c, 'credential'), challenge))
    if (!passkey) return enrolling(c, account, 400, sorry(wrong, c))
    if (!hall.accounts?.enrol(link, passkey, hall.now())) return ended(c)
    return c.redirect(`${BASE}/sign-in/passkey`, 303)
  })

  /** The challenge that this browser was given for this use, once. */
  function answered(c: Visit, use: 'sign-in' | 'enrol'): string | undefined {
    const found = hall.unsealOnce(`challenge ${use}`, hall.cookies.get(c, 'challenge'), Challenge)
    hall.cookies.drop(c, 'challenge')
    return found?.challenge
  }

  function challenged(c: Visit, use: 'sign-in' | 'enrol', { challenge }: { readonly challenge: string }): void {
    const sealed = hall.seal(`challenge ${use}`, { challenge }, hall.now() + PATIENCE)
    hall.cookies.set(c, 'challenge', sealed, PATIENCE / 1000)
  }

  async function asking(c: Visit, back: string, status: 200 | 401 | 429, notice: Markup | '') {
    const t = doorWords[c.get('language')]
    const options = await keys.ask()
    challenged(c, 'sign-in', options)
    const other = html`<p><a href="${BASE}/sign-in?return=${encodeURIComponent(back)}">${t.byPassword}</a></p>`
    return page(
      c,
      { title: t.signIn, status, scripts: [scriptPath] },
      html`<div class="door"><h1>${t.byPasskey}</h1><p class="lead">${t.lead}</p>${notice}
${form(c, `${BASE}/sign-in/passkey`, { kind: 'get', ...options }, t.signIn, back)}${other}</div>`,
    )
  }

  async function enrolling(
    c: Visit,
    account: NonNullable<ReturnType<Accounts['invited']>>,
    status: 200 | 400,
    notice: Markup | '',
  ) {
    const t = doorWords[c.get('language')]
    const options = await keys.invite(account)
    challenged(c, 'enrol', options)
    const action = `${BASE}/enrol/${c.req.param('link')}`
    return page(
      c,
      { title: t.enrol, status, scripts: [scriptPath] },
      html`<div class="door"><h1>${t.enrol}</h1><p class="lead">${t.enrolFor(account.name)}</p>${notice}
${form(c, action, { kind: 'create', ...options }, t.enrol, '')}</div>`,
    )
  }

  function form(c: Visit, action: string, options: object, does: string, back: string): Markup {
    const t = doorWords[c.get('language')]
    return html`<form method="post" action="${action}" class="sheet" data-passkey="${JSON.stringify(options)}">
<input type="hidden" name="${TOKEN}" value="${hall.visitToken(c)}"><input type="hidden" name="return" value="${back}">
<input type="hidden" name="credential"><p>${t.passkeyLead}</p>
<p class="trouble" role="alert" data-failed hidden>${t.passkeyFailed}</p>
<p class="does"><button class="button first">${does}</button></p></form>`
  }
}

const wrong: Sorry = {
  title: { zh: '未成功', en: 'Not done' },
  text: { zh: '通行密钥未能核实，请重试。', en: 'The passkey could not be verified. Try again.' },
}

function ended(c: Visit) {
  const title = { zh: '链接无效', en: 'The link does not serve' }
  const text = {
    zh: '它已经用过、已经过期，或者不完整。请管理员运行 xinqiao staff reset NAME --passkey 取得新的链接。',
    en: 'It was used, is over, or is not whole. A new one is made with xinqiao staff reset NAME --passkey.',
  }
  return sorryPage(c, 400, { title, text }, 'sign-in')
}
