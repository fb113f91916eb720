/** What only a browser can show: passkeys with their authenticator, cookies between two sites, and a door without JavaScript. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeAt } from '../../src/console/one-time-code.ts'
import { openCityProvider } from './city-provider.ts'
import { type Door, openDoor, PASSWORD } from './door.ts'
import { visitor } from './visitor.ts'

const CHROMIUM = '/usr/bin/chromium'
const DAY = 86_400_000

async function invited(door: Door, name = 'wang'): Promise<string> {
  const shown = await door.known.make(name, 'auditor', { kind: 'passkey' }, door.clock.now)
  if (shown?.kind !== 'passkey') throw new Error('no link')
  return `${door.origin}/console/enrol/${shown.link}`
}

describe('a link to enrol', () => {
  it('is kept as a hash, and a made-up one says that it does not serve, in both languages', async () => {
    await using door = await openDoor()
    const link = await invited(door)
    expect(JSON.stringify(door.store.db.prepare('SELECT * FROM account').all())).not.toContain(link.slice(-43))
    const { status, text } = await door.visitor().get(`/console/enrol/${'x'.repeat(43)}`)
    expect([status, text.includes('链接无效'), text.includes('The link does not serve')]).toEqual([400, true, true])
  })

  it('is over after a day, after a reset, and with its account', async () => {
    await using door = await openDoor()
    const first = new URL(await invited(door)).pathname
    expect((await door.visitor().get(first)).status).toBe(200)
    const again = await door.known.reset('wang', { kind: 'passkey' }, door.clock.now)
    expect((await door.visitor().get(first)).status).toBe(400)
    const second = again?.kind === 'passkey' ? `/console/enrol/${again.link}` : ''
    expect((await door.visitor().get(second)).status).toBe(200)
    door.clock.now += DAY
    expect((await door.visitor().get(second)).status).toBe(400)
    const third = new URL(await invited(door, 'li')).pathname
    door.known.remove('li')
    expect((await door.visitor().get(third)).status).toBe(400)
  })

  it.each(['', '{}', 'x', '[]', JSON.stringify({ id: 'x', rawId: 'x', type: 'public-key', response: {} })])(
    'takes no answer %j',
    async credential => {
      await using door = await openDoor()
      const who = door.visitor()
      const path = new URL(await invited(door)).pathname
      const _csrf = await who.token(path)
      expect((await who.post(path, { _csrf, credential })).status).toBe(400)
      const sign = await who.token('/console/sign-in/passkey')
      expect((await who.post('/console/sign-in/passkey', { _csrf: sign, credential })).status).toBe(401)
      for (const each of [path, '/console/sign-in/passkey'])
        expect((await who.post(each, { credential })).status).toBe(403)
    },
  )
})

describe('the pages of passkeys', () => {
  it('alone may run a script, and it is their own', async () => {
    await using door = await openDoor()
    const path = new URL(await invited(door)).pathname
    const who = door.visitor()
    for (const page of [path, '/console/sign-in/passkey']) {
      const { text } = await who.get(page)
      const scripts = [...text.matchAll(/<script[^>]*src="([^"]+)"/g)].map(([, src]) => src ?? '')
      expect(scripts).toHaveLength(1)
      expect((await who.get(scripts[0] ?? '')).headers['content-type']).toMatch(/javascript/)
    }
    expect((await who.get('/console/sign-in')).text).not.toContain('<script')
  })
})

describe('a sign-in that was refused', () => {
  it.each([
    ['zh', '用户名、密码或动态验证码不对', 'is not right'],
    ['en', 'The name, the password or the one-time code is not right', '不对'],
  ])(
    'keeps the name that was typed and nothing else, and says why in the language of the page (%s)',
    async (lang, said, other) => {
      await using door = await openDoor()
      await door.person('li')
      const who = door.visitor()
      const _csrf = await who.token(`/console/sign-in?lang=${lang}`)
      const form = { _csrf, name: '"><b>wang', password: 'not the password', code: '123456' }
      const { status, text } = await who.post(`/console/sign-in?lang=${lang}`, form)
      expect(status).toBe(401)
      expect([text.includes(said), text.includes(other)]).toEqual([true, false])
      expect(text).toContain('name="name" value="&quot;&gt;&lt;b&gt;wang"')
      expect([text.includes(form.password), text.includes(form.code)]).toEqual([false, false])
      expect(text).toMatch(/<input id="password"[^>]* autofocus>/)
      expect((await who.get('/console/sign-in')).text).toMatch(/<input id="name" name="name" value=""[^>]* autofocus>/)
    },
  )
})

const hasBrowser = existsSync(CHROMIUM)

describe.skipIf(!hasBrowser)('in Chromium (skipped without /usr/bin/chromium)', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
  })
  afterAll(() => browser?.close())

  /** A browser with an authenticator built in, whose owner is there and proves it, or not. */
  async function device(isUserVerified = true): Promise<{ context: BrowserContext; page: Page; key: Key }> {
    const context = await browser.newContext()
    const page = await context.newPage()
    const cdp = await context.newCDPSession(page)
    await cdp.send('WebAuthn.enable')
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified,
        automaticPresenceSimulation: true,
      },
    })
    const key: Key = {
      credentials: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
      put: async credential => {
        await cdp.send('WebAuthn.addCredential', { authenticatorId, credential })
      },
    }
    return { context, page, key }
  }
  type Credential = {
    credentialId: string
    isResidentCredential: boolean
    privateKey: string
    signCount: number
    rpId?: string
    userHandle?: string
  }
  type Key = { credentials(): Promise<Credential[]>; put(credential: Credential): Promise<void> }

  const press = async (page: Page) => {
    await page.locator('form[data-passkey] button').click()
  }

  async function enrolled(door: Door) {
    const made = await device()
    const link = await invited(door)
    await made.page.goto(link)
    await press(made.page)
    await made.page.waitForURL(/sign-in\/passkey/)
    return { ...made, link }
  }

  it('one enrols by the link, signs in without a name, and is recorded', async () => {
    await using door = await openDoor()
    const { context, page, link } = await enrolled(door)
    await press(page)
    await page.waitForURL(/\/console$/)
    expect(await page.textContent('body')).toMatch(/^wang auditor /)
    expect((await door.done())[0]).toMatchObject({ staff: 'wang', role: 'auditor', action: 'signed-in' })
    expect((await visitor(door.url).get(new URL(link).pathname)).status).toBe(400)
    const cookies = await context.cookies()
    expect(cookies.find(({ name }) => name.endsWith('session'))).toMatchObject({ httpOnly: true, sameSite: 'Strict' })
    await context.close()
  })

  it('an answer serves once: the same form sent again is refused', async () => {
    await using door = await openDoor()
    const { context, page } = await enrolled(door)
    const sent = page.waitForRequest(request => request.method() === 'POST')
    const { jar, post } = visitor(door.origin)
    await press(page)
    const request = await sent
    for (const each of ((await request.allHeaders())['cookie'] ?? '').split('; ')) {
      const [name = '', value = ''] = each.split('=')
      jar.set(name, value)
    }
    await page.waitForURL(/\/console$/)
    expect((await post('/console/sign-in/passkey', request.postData() ?? '')).status).toBe(401)
    await context.close()
  })

  it('an authenticator that has not verified its user does not sign in', async () => {
    await using door = await openDoor()
    const { context, key } = await enrolled(door)
    const [credential] = await key.credentials()
    if (credential === undefined) throw new Error('nothing was enrolled')
    const careless = await device(false)
    await careless.key.put(credential)
    await careless.page.goto(`${door.origin}/console/sign-in/passkey`)
    await press(careless.page)
    await careless.page.locator('[data-failed]').waitFor({ state: 'visible' })
    // Nor where the page is made to ask for less.
    await careless.page.locator('form[data-passkey]').evaluate(form => {
      form.setAttribute('data-passkey', form.getAttribute('data-passkey')?.replace('required', 'discouraged') ?? '')
    })
    await press(careless.page)
    await careless.page.getByText('通行密钥未能核实').waitFor()
    expect((await door.done()).at(-1)).toMatchObject({ staff: 'wang', action: 'sign-in-refused' })
    await careless.context.close()
    await context.close()
  })

  it('a copy of a passkey that counts backwards is told from the passkey', async () => {
    await using door = await openDoor()
    const { context, page, key } = await enrolled(door)
    const [credential] = await key.credentials()
    if (credential === undefined) throw new Error('nothing was enrolled')
    await press(page)
    await page.waitForURL(/\/console$/)
    const copy = await device()
    await copy.key.put(credential)
    await copy.page.goto(`${door.origin}/console/sign-in/passkey`)
    await press(copy.page)
    await copy.page.getByText('通行密钥未能核实').waitFor()
    expect((await door.done()).at(-1)).toMatchObject({ staff: 'wang', action: 'sign-in-refused' })
    await copy.context.close()
    await context.close()
  })

  it('a passkey of an account that was reset signs in no more', async () => {
    await using door = await openDoor()
    const { context, page } = await enrolled(door)
    await door.known.reset('wang', { kind: 'passkey' }, door.clock.now)
    await press(page)
    await page.getByText('通行密钥未能核实').waitFor()
    expect((await door.done()).at(-1)).toMatchObject({ staff: 'unknown', action: 'sign-in-refused' })
    await context.close()
  })

  it('password and code need no JavaScript', async () => {
    await using door = await openDoor()
    const person = await door.person('wang', 'viewer')
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(`${door.origin}/console/enterprise`)
    expect(new URL(page.url()).pathname).toBe('/console/sign-in')
    await page.getByLabel('用户名').fill('wang')
    await page.getByLabel('密码').fill(PASSWORD)
    await page.getByLabel('动态验证码（六位）').fill(codeAt(person.codeSecret, door.clock.now))
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByRole('alert').getByText('没有权限').waitFor()
    expect(new URL(page.url()).pathname).toBe('/console/enterprise')
    await page.getByRole('button', { name: '退出' }).click()
    await page.getByText('已退出').waitFor()
    await context.close()
  })

  it('one comes back from a provider on another site, signed in, by one press of a button there', async () => {
    let callback = ''
    await using provider = await openCityProvider(() => callback, { host: '127.0.0.1' })
    await using door = await openDoor({
      provider: origin => {
        callback = `${origin}/console/sign-in/callback`
        return {
          origin,
          issuer: provider.issuer,
          clientId: 'xinqiao',
          secretFile: provider.secretFile,
          scope: 'openid profile',
          nameClaim: 'sub',
          roleClaim: 'roles',
          roles: new Map([['audit', 'auditor']]),
        }
      },
    })
    provider.people.set('wang', { roles: ['audit'] })
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto(`${door.origin}/console/enterprise`)
    await page.getByRole('link', { name: '使用统一身份认证登录' }).click()
    await page.locator('[name=login]').fill('wang')
    await page.locator('[name=password]').fill('any')
    await page.locator('button').click()
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.waitForURL(`${door.origin}/console/enterprise`)
    expect(await page.textContent('body')).toMatch(/^wang auditor /)
    await context.close()
  })

  it('a link on another site leads to the page, for whoever has signed in, and to sign-in for others', async () => {
    await using door = await openDoor()
    const { codeSecret } = await door.person('wang', 'auditor')
    const context = await browser.newContext({ javaScriptEnabled: false })
    const page = await context.newPage()
    const other = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end(`<a href="${door.origin}/console/enterprise">there</a>`)
    })
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`
    await page.goto(elsewhere)
    await page.getByText('there').click()
    await page.getByLabel('用户名').fill('wang')
    await page.getByLabel('密码').fill(PASSWORD)
    await page.getByLabel('动态验证码（六位）').fill(codeAt(codeSecret, door.clock.now))
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByText('wang auditor').waitFor()
    await page.goto(elsewhere)
    await page.getByText('there').click()
    await page.getByText('wang auditor').waitFor()
    await context.close()
    other.closeAllConnections()
    other.close()
  })
})
