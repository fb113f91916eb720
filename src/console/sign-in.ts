/** Without a provider one signs in by name, password and one-time code; where nobody can, the page says which command helps. */
import type { Hono } from 'hono'
import { html } from 'hono/html'
import { accountName } from './accounts.ts'
import { BASE, type Console, type Visit } from './desk.ts'
import { field, TOKEN } from './form.ts'
import { type Hall, wayBack } from './hall.ts'
import { type Markup, page } from './layout.ts'
import { length } from './password.ts'
import { both, doorWords, type Sorry, sorry, strangeFormPage, tooMany } from './sign-in-words.ts'

/** Characters of a name. */
const MOST = 40

/** The sign-in page and what it sends. */
export function localPages(app: Hono<Console>, hall: Hall, withPasskeys: boolean): void {
  app.get('/sign-in', async c => {
    const back = wayBack(c.req.query('return'))
    if (hall.isIn(c)) return c.redirect(back, 303)
    const { out } = doorWords[c.get('language')]
    return door(
      c,
      { back, name: '' },
      200,
      c.req.query('out') === '1' ? html`<p class="told" role="status">${out}</p>` : '',
    )
  })
  app.post('/sign-in', async c => {
    if (!(await hall.isOurVisit(c))) return strangeFormPage(c)
    const back = wayBack(await field(c, 'return'))
    const typed = await field(c, 'name')
    const keys = hall.counted(c, typed.slice(0, 200))
    const wait = hall.wait(keys)
    const again = { back, name: typed.slice(0, MOST) }
    if (wait > 0) return door(c, again, 429, sorry(tooMany(c, wait), c))
    const name = accountName(typed) ?? ''
    const password = (await field(c, 'password')).slice(0, length.most)
    const code = (await field(c, 'code')).replaceAll(/\s/g, '')
    const proved = await hall.accounts?.prove({ name, password, code }, hall.now())
    if (proved === undefined) {
      await hall.turnAway(hall.accounts?.find(name)?.name)
      return door(c, again, 401, sorry(wrong, c))
    }
    await hall.admit(c, proved, keys)
    return c.redirect(back, 303)
  })

  /** What was typed for a name is there again; a password and a code are typed anew. */
  function door(
    c: Visit,
    { back, name }: { readonly back: string; readonly name: string },
    status: 200 | 401 | 429,
    notice: Markup | '',
  ) {
    const [first, second] = name === '' ? [html` autofocus`, ''] : ['', html` autofocus`]
    const t = doorWords[c.get('language')]
    if (hall.accounts?.isEmpty() !== false) return page(c, { title: t.signIn, status }, nobody)
    const passkey = html`<p><a href="${BASE}/sign-in/passkey?return=${encodeURIComponent(back)}">${t.byPasskey}</a></p>`
    return page(
      c,
      { title: t.signIn, status },
      html`<div class="door"><h1>${t.signIn}</h1><p class="lead">${t.lead}</p>${notice}
<form method="post" action="${BASE}/sign-in" class="sheet">
<input type="hidden" name="${TOKEN}" value="${hall.visitToken(c)}"><input type="hidden" name="return" value="${back}">
<p class="field"><label for="name">${t.name}</label><input id="name" name="name" value="${name}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="${MOST}" required${first}></p>
<p class="field"><label for="password">${t.password}</label><input id="password" name="password" type="password" autocomplete="current-password" maxlength="${length.most}" required${second}></p>
<p class="field"><label for="code">${t.code}</label><input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,7}" maxlength="7" required></p>
<p class="does"><button class="button first">${t.signIn}</button></p>
</form>${withPasskeys && passkey}</div>`,
    )
  }
}

const wrong: Sorry = {
  title: { zh: '登录未成功', en: 'Not signed in' },
  text: {
    zh: '用户名、密码或动态验证码不对。每个动态验证码只能使用一次。',
    en: 'The name, the password or the one-time code is not right. Each one-time code serves once.',
  },
}

const nobody = html`<h1><span lang="zh-CN">还没有人可以登录</span> · <span lang="en">Nobody can sign in yet</span></h1>
<div class="sheet">${both({
  zh: '没有配置统一身份认证，也没有账户；没有默认账户。请在网关所在的机器上建立第一个账户：',
  en: 'There is no identity provider and no account, and none by default. Make the first account on the gateway’s machine:',
})}
<pre>xinqiao staff new NAME --role operator --env xinqiao.env</pre>
${both({
  zh: '或者在设置中写明 XINQIAO_STAFF_ISSUER 等项，使用本市的统一身份认证（docs/staff.md）。',
  en: 'Or name the city’s OpenID provider in the settings, XINQIAO_STAFF_ISSUER and its companions (docs/staff.md).',
})}</div>`
