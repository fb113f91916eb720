/** What is said at the door of the console: beside a form in the language of its page, and where a refusal is the whole page in both at once. */
import { html } from 'hono/html'
import type { Said } from '#protocol/said.ts'
import { BASE, type Visit } from './desk.ts'
import { type Markup, page, trouble } from './layout.ts'
import type { Role } from './staff.ts'
import { spoken, words } from './words.ts'

/** A pair as two paragraphs, each marked as its language. */
export function both({ zh, en }: Said): Markup {
  return html`<p lang="zh-CN">${zh}</p><p lang="en">${en}</p>`
}

/** What went wrong, and what to do. */
export type Sorry = { readonly title: Said; readonly text: Said }

/** A refusal beside the form that it is about, in the language of that page. */
export function sorry({ title, text }: Sorry, c: Visit): Markup {
  return trouble(title[c.get('language')], text[c.get('language')])
}

function inBoth({ title, text }: Sorry): Markup {
  return html`<div class="trouble" role="alert"><p><b lang="zh-CN">${title.zh}</b> · <b lang="en">${title.en}</b></p>${both(text)}</div>`
}

const ways = {
  back: html`<p><a class="button" href="${BASE}"><span lang="zh-CN">返回</span> <span lang="en">Back</span></a></p>`,
  'sign-in': html`<p><a class="button" href="${BASE}/sign-in"><span lang="zh-CN">登录</span> <span lang="en">Sign in</span></a></p>`,
}

/** A refusal that is all that the page says, with the way on. */
export function sorryPage(c: Visit, status: 400 | 401 | 403 | 429 | 502, said: Sorry, way: keyof typeof ways) {
  const title = said.title[c.get('language')]
  return page(c, { title, status }, html`<h1 class="aside">${title}</h1>${inBoth(said)}${ways[way]}`)
}

/** Goes on to a path of the console by itself; a redirect would still be the other site's navigation, without our cookie. */
export function goOnPage(c: Visit, back: string) {
  const t = doorWords[c.get('language')]
  c.header('refresh', `0; url=${back}`)
  const goOn = html`<p><a class="button first" href="${back}">${t.goOn}</a></p>`
  return page(c, { title: t.goOn }, html`<h1 class="aside">${t.goOn}</h1><p role="status">${t.goingOn}</p>${goOn}`)
}

/** A form that came too late, or from elsewhere without a session. */
export function overPage(c: Visit) {
  const title = { zh: '登录已结束', en: 'The session has ended' }
  const text = {
    zh: '提交的内容没有执行。请重新登录后再做一次。',
    en: 'What was sent was not done. Sign in and do it once more.',
  }
  return sorryPage(c, 401, { title, text }, 'sign-in')
}

/** A form that is not of this session, or not sent from a page of ours. */
export function strangeFormPage(c: Visit) {
  const title = { zh: '表单不被接受', en: 'The form is not accepted' }
  const text = {
    zh: '它不是从本页面提交的，或者已经过期，没有执行任何操作。请回到页面，刷新后重试。',
    en: 'It was not sent from this console’s own page, or is too old. Nothing was done. Go back, reload the page, try again.',
  }
  return sorryPage(c, 403, { title, text }, 'back')
}

export function roleRefusedPage(c: Visit, has: Role, needed: Role) {
  const title = { zh: '没有权限', en: 'Not permitted' }
  const text = {
    zh: `此操作需要“${words.zh[needed]}”角色，您的角色是“${words.zh[has]}”。工作需要的，请联系网关管理员调整角色。这次访问已记录。`,
    en: `This takes the role ${words.en[needed]}; yours is ${words.en[has]}. If your work needs it, ask whoever runs the gateway. The attempt was recorded.`,
  }
  return sorryPage(c, 403, { title, text }, 'back')
}

/** Too many attempts: says how long to wait (ms), to the browser too. */
export function tooMany(c: Visit, wait: number): Sorry {
  const seconds = Math.ceil(wait / 1000)
  c.header('retry-after', String(seconds))
  const title = { zh: '请稍候', en: 'Please wait' }
  const text = {
    zh: `尝试次数过多，请在 ${seconds} 秒后重试。这次没有核对。`,
    en: `Too many attempts. Try again in ${seconds} s. This one was not looked at.`,
  }
  return { title, text }
}

/** What the sign-in pages say in the language that was chosen. */
export const doorWords = spoken({
  signIn: { zh: '登录', en: 'Sign in' },
  lead: {
    zh: '仅限本市工作人员。登录和查阅都会记入日志。',
    en: 'For this city’s staff. Signing in and looking are recorded.',
  },
  name: { zh: '用户名', en: 'Name' },
  password: { zh: '密码', en: 'Password' },
  code: { zh: '动态验证码（六位）', en: 'One-time code (six digits)' },
  out: { zh: '已退出。', en: 'You have signed out.' },
  byProvider: { zh: '使用统一身份认证登录', en: 'Sign in through the city’s identity provider' },
  providerOut: { zh: '同时退出统一身份认证', en: 'Sign out of the identity provider as well' },
  byPasskey: { zh: '使用通行密钥登录', en: 'Sign in with a passkey' },
  byPassword: { zh: '使用密码和动态验证码登录', en: 'Sign in with a password and a one-time code' },
  passkeyLead: {
    zh: '按下按钮，然后用指纹、面容、PIN 或安全密钥确认。此页需要 JavaScript。',
    en: 'Press the button, then confirm with fingerprint, face, PIN or security key. This page needs JavaScript.',
  },
  passkeyFailed: { zh: '没有完成，请重试。', en: 'It was not finished. Try again.' },
  enrol: { zh: '登记通行密钥', en: 'Enrol a passkey' },
  enrolled: { zh: '已登记。现在可以用它登录。', en: 'Enrolled. You can sign in with it now.' },
  enrolFor: (name: string) => ({ zh: `为账户“${name}”登记`, en: `For the account “${name}”` }),
  goOn: { zh: '继续', en: 'Go on' },
  goingOn: { zh: '正在进入……', en: 'Going on …' },
})
