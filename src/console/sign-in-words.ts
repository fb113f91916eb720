/** What is said at the door of the console: each refusal in both languages at once, since nobody has chosen one there yet. */
import { html } from 'hono/html'
import { BASE, type Visit } from './desk.ts'
import { type Markup, page } from './layout.ts'
import type { Role } from './staff.ts'
import { type Said, spoken, words } from './words.ts'

/** A pair as two paragraphs, each marked as its language. */
export function both({ zh, en }: Said): Markup {
  return html`<p lang="zh-CN">${zh}</p><p lang="en">${en}</p>`
}

/** A refusal at the door. */
export function sorry(title: Said, text: Said): Markup {
  return html`<div class="trouble" role="alert"><p><b lang="zh-CN">${title.zh}</b> · <b lang="en">${title.en}</b></p>${both(text)}</div>`
}

const again = html`<p><a class="button" href="${BASE}/sign-in" lang="zh-CN">登录 <span lang="en">Sign in</span></a></p>`

/** A form that came too late, or from elsewhere without a session. */
export function overPage(c: Visit) {
  const title = { zh: '登录已结束', en: 'The session has ended' }
  const text = {
    zh: '提交的内容没有执行。请重新登录后再做一次。',
    en: 'What was sent was not done. Sign in and do it once more.',
  }
  return page(c, { title: title[c.get('language')], status: 401 }, html`${sorry(title, text)}${again}`)
}

/** A form that is not of this session, or not sent from a page of ours. */
export function strangeFormPage(c: Visit) {
  const title = { zh: '表单不被接受', en: 'The form is not accepted' }
  const text = {
    zh: '它不是从本页面提交的，或者已经过期，没有执行任何操作。请回到页面，刷新后重试。',
    en: 'It was not sent from this console’s own page, or is too old. Nothing was done. Go back, reload the page, try again.',
  }
  const back = html`<p><a class="button" href="${BASE}"><span lang="zh-CN">返回</span> <span lang="en">Back</span></a></p>`
  return page(c, { title: title[c.get('language')], status: 403 }, html`${sorry(title, text)}${back}`)
}

export function roleRefusedPage(c: Visit, has: Role, needed: Role) {
  const title = { zh: '没有权限', en: 'Not permitted' }
  const text = {
    zh: `此操作需要“${words.zh[needed]}”角色，您的角色是“${words.zh[has]}”。这次访问已记录。`,
    en: `This takes the role ${words.en[needed]}; yours is ${words.en[has]}. The attempt was recorded.`,
  }
  const back = html`<p><a class="button" href="${BASE}"><span lang="zh-CN">返回</span> <span lang="en">Back</span></a></p>`
  return page(c, { title: title[c.get('language')], status: 403 }, html`${sorry(title, text)}${back}`)
}

/** Too many attempts. `wait` in milliseconds. */
export function waitNotice(wait: number): Markup {
  const seconds = Math.ceil(wait / 1000)
  return sorry(
    { zh: '请稍候', en: 'Please wait' },
    {
      zh: `尝试次数过多，请在 ${seconds} 秒后重试。这次没有核对。`,
      en: `Too many attempts. Try again in ${seconds} s. This one was not looked at.`,
    },
  )
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
  welcome: { zh: '已登录，正在进入……', en: 'Signed in, going on …' },
})
