/** Attacks on the console and by those who work in it, one for each row of docs/threats.md: who has no right sees nothing, and who has is seen. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pages } from '../../src/console/console.ts'
import { reaches } from '../../src/console/layout.ts'
import { signIn } from '../console/door.ts'
import { names, openScene, type roles, type Scene, USCC, usualDay } from '../console/scene.ts'
import { tokenIn, visitor } from '../console/visitor.ts'
import { served } from './attacker.ts'

let scene: Scene
beforeAll(async () => {
  scene = await openScene({ play: usualDay })
}, 60_000)
afterAll(() => scene[Symbol.asyncDispose]())

type Role = (typeof roles)[number]
const get = (role: Role, path: string) => scene.staff[role].get(`/console${path}`)
const tokenOf = async (role: Role) => tokenIn((await get(role, '')).text)
/** What staff did, in the ledger, newest first. */
const done = async () => {
  const { ledger } = scene.running.gateway('jiangyin').city
  const { entries } = await ledger.search({ kinds: ['staff'] }, { limit: 100 })
  return entries.flatMap(({ entry }) => (entry.kind === 'staff' ? [entry] : []))
}

describe('who has no right', () => {
  it('T49 guesses at a sign-in a few times and then seldom, learns of no name, and holds no owner up', async () => {
    const owner = await scene.newcomer('operator')
    const stranger = () => visitor(scene.url, { from: '127.0.0.2' })
    const guess = (name: string) => signIn(stranger(), { ...owner, name }, Date.now(), { code: '000000' })
    const { status, text } = await guess('somebody-else')
    const all = await Promise.all(Array.from({ length: 40 }, () => guess(owner.name)))
    const looked = all.filter(each => each.status === 401)
    expect([status, text.includes('用户名、密码或动态验证码不对')]).toEqual([401, true])
    expect(looked.length).toBeLessThan(10)
    expect(all.filter(each => each.status === 429)).toHaveLength(40 - looked.length)
    expect((await signIn(visitor(scene.url, { from: '127.0.0.3' }), owner, Date.now())).status).toBe(303)
    const refused = (await done()).filter(({ action }) => action === 'sign-in-refused')
    expect(refused.filter(({ staff }) => staff === owner.name).length).toBeGreaterThanOrEqual(looked.length)
    expect(refused.map(({ staff }) => staff)).toContain('unknown')
    expect(JSON.stringify(refused)).not.toContain('somebody-else')
  })

  it('T50 who made a session up, or took one whose owner went, is nobody; no script and no other site reaches it', async () => {
    const who = visitor(scene.url)
    const { cookies } = await signIn(who, await scene.newcomer('auditor'), Date.now())
    const session = cookies.find(line => /^[^=]*session=/.test(line)) ?? ''
    expect(session).toMatch(/; HttpOnly; SameSite=Strict$/)
    const thief = visitor(scene.url)
    for (const [name, value] of who.jar) thief.jar.set(name, value)
    expect((await thief.get('/console')).status).toBe(200)
    await who.post('/console/sign-out', { _csrf: await who.token('/console') })
    expect((await thief.get('/console')).status).toBe(303)
    for (const name of [...thief.jar.keys()]) thief.jar.set(name, 'A'.repeat(43))
    expect((await thief.get('/console')).status).toBe(303)
  })

  it('T51 another site’s page does nothing with the browser of who has signed in', async () => {
    const { ledger } = scene.running.gateway('jiangyin').city
    const _csrf = await tokenOf('operator')
    const before = await ledger.count()
    const form = { peer: 'huizhou', codes: USCC, purpose: 'tendering', matter: '澄招〔2026〕9号', city: 'huizhou' }
    const elsewhere = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    for (const path of pages.flatMap(({ path, post }) => (post === undefined ? [] : [path]))) {
      const at = `/console${path.replace(/:\w+(\{[^}]*\})?/, '0')}`
      const sent = [
        await scene.staff.operator.post(at, { ...form, _csrf }, elsewhere),
        await scene.staff.operator.post(at, form),
        await scene.staff.operator.post(at, { ...form, _csrf: 'A'.repeat(43) }),
      ]
      expect([path, ...sent.map(({ status }) => status)]).toEqual([path, 403, 403, 403])
    }
    expect(await ledger.count()).toBe(before)
  })

  it('T52 markup that a peer puts into its matter stays a text, on a page where no script may run', async () => {
    const markup = '<img src=x onerror=alert(1)><script>alert(2)</script>"&'
    expect((await scene.running.query('huizhou', 'jiangyin', { matter: markup, subjects: [USCC] })).status).toBe(200)
    const { text: log } = await get('operator', '/in')
    const [, entry = ''] = /href="\/console(\/entry\/\d+)"/.exec(log) ?? []
    for (const path of [
      '/in',
      entry,
      `${entry}/originals`,
      `/enterprise?code=${USCC}`,
      `/enterprise/print?code=${USCC}`,
    ]) {
      const { text, headers } = await get('operator', path)
      expect(text, path).not.toMatch(/<img src=x|<script|onerror=alert\(1\)>/)
      expect(text, path).toContain('onerror=alert(1)')
      expect(headers['content-security-policy'], path).toMatch(/^default-src 'none'; (?!.*script-src)/)
    }
  })

  it('T53 a viewer who asks for the page of an auditor or operator, or sends its form, is refused, and it is recorded', async () => {
    const _csrf = await tokenOf('viewer')
    const before = (await done()).filter(({ action }) => action === 'refused').length
    let tries = 0
    for (const { path, role, get: shows, post } of pages) {
      if (reaches('viewer', role)) continue
      const at = `/console${path.replace(/:\w+(\{[^}]*\})?/, '0')}?role=operator`
      const sent = [
        ...(shows === undefined ? [] : [await scene.staff.viewer.get(at, { 'x-role': 'operator' })]),
        ...(post === undefined ? [] : [await scene.staff.viewer.post(at, { _csrf, role: 'operator', code: USCC })]),
      ]
      tries += sent.length
      for (const { status, text } of sent) expect([path, status, text.includes(USCC)]).toEqual([path, 403, false])
    }
    const refused = (await done()).filter(({ action }) => action === 'refused')
    expect([tries > 15, refused.length]).toEqual([true, before + tries])
    expect(refused[0]).toMatchObject({ staff: names.viewer, role: 'viewer' })
  })
})

describe('who has a right', () => {
  it('T54 sees of enterprises what the role needs, and whatever was looked at stands in the ledger with the name', async () => {
    const { text } = await get('viewer', '/in')
    expect(text).toContain(`${USCC.slice(0, 4)}…${USCC.slice(-4)}`)
    expect(text).not.toContain(USCC)
    expect((await done())[0]).toMatchObject({ staff: names.viewer, action: 'viewed', page: 'inbound', subjects: [] })
    const [, entry = ''] = /href="\/console(\/entry\/\d+)"/.exec(text) ?? []
    expect((await get('viewer', entry)).text).not.toContain(USCC)
    expect((await done())[0]).toMatchObject({ staff: names.viewer, entries: [Number(entry.split('/')[2])] })
    expect((await get('viewer', `/in?subject=${USCC}`)).status).toBe(403)
    await get('auditor', `/enterprise?code=${USCC}`)
    expect((await done())[0]).toMatchObject({ staff: names.auditor, page: 'enterprise', subjects: [USCC] })
    for (const path of ['/records', `/enterprise?code=${USCC}`])
      expect((await get('operator', path)).text, path).toContain(names.auditor)
  })

  it('T55 takes a file away only by name, in the ledger before its first byte, and nothing in it computes', async () => {
    const formula = '=HYPERLINK("http://evil.example","x")'
    expect((await scene.running.query('huizhou', 'jiangyin', { matter: formula, subjects: [USCC] })).status).toBe(200)
    const { ledger } = scene.running.gateway('jiangyin').city
    const { status, text } = await scene.staff.auditor.post('/console/in/export', {
      _csrf: await tokenOf('auditor'),
      format: 'csv',
    })
    const said = await done()
    expect([status, said[0]?.action, said[0]?.staff]).toEqual([200, 'exported', names.auditor])
    expect(text).toContain(`"'=HYPERLINK`)
    expect(text).not.toMatch(/(^|,|")=HYPERLINK/m)
    const before = await ledger.count()
    const _csrf = await tokenOf('viewer')
    for (const path of ['/in/export', '/out/export', '/enterprise/export'])
      expect((await scene.staff.viewer.post(`/console${path}`, { _csrf, code: USCC })).status).toBe(403)
    expect(await ledger.count()).toBe(before + 3)
  })
})

it('the gateway answers its peers after all of them', () => served(scene.running))
