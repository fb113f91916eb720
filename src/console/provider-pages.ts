/** One leaves for the provider by a link and comes back once, by the browser that left; the cookie of that way is worth no more after it. */
import type { Hono } from 'hono'
import { html } from 'hono/html'
import { BASE, type Console } from './desk.ts'
import { type Hall, wayBack } from './hall.ts'
import { page } from './layout.ts'
import { described, Flow, type Provider } from './provider.ts'
import { doorWords, goOnPage, sorryPage, tooMany } from './sign-in-words.ts'

/** Seconds that one may take at the provider. */
const FLOW_SERVES = 600

export function providerPages(app: Hono<Console>, hall: Hall, provider: Provider): void {
  app.get('/sign-in', async c => {
    const t = doorWords[c.get('language')]
    const back = wayBack(c.req.query('return'))
    if (hall.isIn(c)) return c.redirect(back, 303)
    const out = c.req.query('out') === '1'
    const leave = out ? await provider.signOutUrl() : undefined
    return page(
      c,
      { title: t.signIn },
      html`<div class="door"><h1>${t.signIn}</h1><p class="lead">${t.lead}</p>${out && html`<p class="told" role="status">${t.out}</p>`}
<p><a class="button first" href="${BASE}/sign-in/provider?return=${encodeURIComponent(back)}">${t.byProvider}</a></p>
${leave !== undefined && html`<p><a href="${leave}">${t.providerOut}</a></p>`}</div>`,
    )
  })

  app.get('/sign-in/provider', async c => {
    try {
      const { url, flow } = await provider.begin(wayBack(c.req.query('return')))
      hall.cookies.set(c, 'flow', hall.seal('flow', flow, hall.now() + FLOW_SERVES * 1000), FLOW_SERVES)
      return c.redirect(url, 303)
    } catch (error) {
      hall.log.warn({ why: described(error) }, 'the provider of sign-in cannot be reached')
      return sorryPage(c, 502, { title, text: unreachable }, 'sign-in')
    }
  })

  // The one GET that begins something: its state is known to nobody but the browser that left, and serves once.
  app.get('/sign-in/callback', async c => {
    const flow = hall.unsealOnce('flow', hall.cookies.get(c, 'flow'), Flow)
    hall.cookies.drop(c, 'flow')
    // Anybody can call this address. Without a way that began here there is nothing to judge, and nothing to record.
    if (flow === undefined) return sorryPage(c, 400, { title, text: strayed }, 'sign-in')
    const keys = hall.counted(c)
    const wait = hall.wait(keys)
    if (wait > 0) return sorryPage(c, 429, tooMany(c, wait), 'sign-in')
    const proved = await provider.finish(new URL(c.req.url).search, flow)
    if ('why' in proved) {
      hall.log.warn({ why: proved.why }, 'sign-in refused')
      await hall.turnAway(proved.name)
      return sorryPage(c, 403, { title, text: proved.name === undefined ? notVouched : noRole }, 'sign-in')
    }
    await hall.admit(c, proved, keys)
    return goOnPage(c, flow.back)
  })
}

const title = { zh: '登录未成功', en: 'Not signed in' }
const unreachable = {
  zh: '统一身份认证暂时无法连接。请稍后再试，或联系管理员查看网关日志。',
  en: 'The identity provider cannot be reached. Try later, or have the gateway’s log looked at.',
}
const strayed = {
  zh: '这次登录不是从本浏览器开始的，或者已经过期、已经用过。',
  en: 'This sign-in did not begin in this browser, or it is over, or was used before.',
}
const notVouched = {
  zh: '统一身份认证的答复不能被核实。这次尝试已记录。',
  en: 'What the identity provider said could not be verified. The attempt was recorded.',
}
const noRole = {
  zh: '您的身份已确认，但没有为您设置本系统的角色。这次尝试已记录。请联系管理员。',
  en: 'You are known, but have no role here. The attempt was recorded. Ask those who run the gateway.',
}
