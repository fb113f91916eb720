/** Nobody gets in who does not prove who they are, nobody stays who has no right to, and the ledger knows of each. */
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accountName } from '../../src/console/accounts.ts'
import { wayBack } from '../../src/console/hall.ts'
import { codeAt } from '../../src/console/one-time-code.ts'
import { openStaffStore } from '../../src/console/staff-store.ts'
import { makeLeaf, makeRoot } from '../certificates.ts'
import { directory } from '../ledger/sample.ts'
import { csrfOf, openDoor, PASSWORD, signIn } from './door.ts'
import { tokenIn } from './visitor.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const STEP = 30_000

describe('where nobody can sign in', () => {
  it('says so in both languages, with the command that helps, and has no form', async () => {
    await using door = await openDoor()
    const who = door.visitor()
    const { status, text } = await who.get('/console/sign-in')
    expect(status).toBe(200)
    expect(text).toContain('还没有人可以登录')
    expect(text).toContain('Nobody can sign in yet')
    expect(text).toContain('xinqiao staff new NAME --role operator')
    expect(text).not.toContain('<form method="post" action="/console/sign-in"')
  })

  it.each(['admin', 'root', 'operator', 'xinqiao'])('has no default account %s', async name => {
    await using door = await openDoor()
    const who = door.visitor()
    await door.person('wang')
    const _csrf = await who.token('/console/sign-in')
    const { status } = await who.post('/console/sign-in', { _csrf, name, password: name, code: '000000' })
    expect(status).toBe(401)
  })

  it('keeps its accounts in a file for us alone, and refuses one that others may read', async () => {
    await using door = await openDoor()
    const path = join(door.data, 'staff.sqlite')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o644)
    expect(() => openStaffStore(door.data)).toThrow(/others may read/)
    chmodSync(path, 0o600)
  })

  it('says what to do when that file cannot be read', () => {
    const data = directory()
    writeFileSync(join(data, 'staff.sqlite'), 'no database at all, but a text', { mode: 0o600 })
    expect(() => openStaffStore(data)).toThrow(/bring it back from a backup/)
  })
})

describe('signing in by password and code', () => {
  it('lets in by both, and nothing of them lies in the file as it was typed', async () => {
    await using door = await openDoor()
    const person = await door.person('wang', 'auditor')
    const who = door.visitor()
    expect((await who.get('/console')).location).toBe('/console/sign-in?return=%2Fconsole')
    const { status, location } = await signIn(who, person, door.clock.now)
    expect([status, location]).toEqual([303, '/console'])
    expect((await who.get('/console')).text).toMatch(/^wang auditor /)
    const rows = JSON.stringify([
      door.store.db.prepare('SELECT * FROM session').all(),
      door.store.db.prepare('SELECT password FROM account').all(),
      door.store.db.prepare('SELECT * FROM attempt').all(),
    ])
    expect(rows).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
    for (const secret of [PASSWORD, ...who.jar.values()]) expect(rows).not.toContain(secret)
  })

  it.each([
    ['another password', { password: 'incorrect horse battery' }],
    ['no password', { password: '' }],
    ['another code', { code: '000000' }],
    ['no code', { code: '' }],
    ['a code of 30 digits', { code: '1'.repeat(30) }],
    ['another name', { name: 'nobody' }],
    ['no name', { name: '' }],
    ['a name that is SQL', { name: "wang' OR '1'='1" }],
  ])('does not let in by %s, and says the same each time', async (_, over) => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const who = door.visitor()
    const { status, text } = await signIn(who, person, door.clock.now, over)
    expect(status).toBe(401)
    expect(text).toContain('用户名、密码或动态验证码不对')
    expect((await who.get('/console')).status).toBe(303)
  })

  it('takes each code once, even from two browsers at the same moment', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const both = await Promise.all([1, 2].map(() => signIn(door.visitor(), person, door.clock.now)))
    expect(both.map(({ status }) => status).sort()).toEqual([303, 401])
    expect((await signIn(door.visitor(), person, door.clock.now)).status).toBe(401)
    // Nor an earlier one than the last that was good.
    expect((await signIn(door.visitor(), person, door.clock.now - STEP)).status).toBe(401)
    door.clock.now += STEP
    expect((await signIn(door.visitor(), person, door.clock.now)).status).toBe(303)
  })

  it('takes a code of half a minute ago, and none of a minute and a half', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    expect((await signIn(door.visitor(), person, door.clock.now - 3 * STEP)).status).toBe(401)
    expect((await signIn(door.visitor(), person, door.clock.now - STEP)).status).toBe(303)
  })

  it('reads a name as it was meant: wide letters and capitals are the same account', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    expect((await signIn(door.visitor(), person, door.clock.now, { name: 'ＷＡＮＧ ' })).status).toBe(303)
  })

  it('has no account whose name is a person’s number, or the ledger’s word for nobody', () => {
    for (const name of ['110101199003077758', '13812345678', 'unknown', '', ' ', 'a b', '<b>', 'a'.repeat(41)])
      expect(accountName(name)).toBeUndefined()
    expect(accountName('王伟')).toBe('王伟')
  })
})

describe('what is recorded', () => {
  it('is each sign-in, each refusal, each look and each sign-out', async () => {
    await using door = await openDoor()
    const person = await door.person('wang', 'operator')
    const who = await door.inside(person)
    await signIn(door.visitor(), person, door.clock.now, { password: 'x' })
    await signIn(door.visitor(), person, door.clock.now, { name: 'my secret password' })
    await who.post('/console/sign-out', { _csrf: await csrfOf(who) })
    const told = (await door.done()).map(({ staff, role, action, page }) => [staff, role, action, page].join(' '))
    expect(told).toEqual([
      'wang operator signed-in sign-in',
      'wang viewer sign-in-refused sign-in',
      'unknown viewer sign-in-refused sign-in',
      'wang operator viewed today',
      'wang operator signed-out sign-out',
    ])
  })

  it('is what they looked for, without a person’s number', async () => {
    await using door = await openDoor()
    const staff = { name: 'wang', role: 'auditor', csrf: '' } as const
    await door.staffing.recorded(staff, 'viewed', 'in', { entries: [3, 4], filter: 'matter=110101199003077758' })
    expect(await door.done()).toMatchObject([{ entries: [3, 4], filter: 'matter=******************' }])
  })

  it.each([
    '１１０１０１１９９００３０７７７５８',
    '110101 19900307 7758',
    '138 0013 8000',
    '138·0013·8000',
    '138+0013+8000',
    '一三八〇〇一三八〇〇〇',
    '𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎',
  ])('is that somebody looked for %s, and not the number itself, encoded or not', async typed => {
    await using door = await openDoor()
    const staff = { name: 'wang', role: 'auditor', csrf: '' } as const
    const filter = new URLSearchParams({ peer: 'huizhou', matter: `张 ${typed}`, from: '2026-11-22T08:30' }).toString()
    await door.staffing.recorded(staff, 'viewed', 'in', { filter })
    const [{ filter: kept = '' } = {}] = await door.done()
    expect(Object.fromEntries(new URLSearchParams(kept))).toEqual({
      peer: 'huizhou',
      matter: expect.stringMatching(/^张 [*·+ ]+$/),
      from: '2026-11-22T08:30',
    })
  })

  it('comes before what is shown: without the ledger nobody gets in and nothing is seen', async () => {
    let fails = false
    await using door = await openDoor({ ledgerFails: () => fails })
    const person = await door.person('wang')
    const who = await door.inside(person)
    fails = true
    expect((await who.get('/console')).status).toBe(503)
    door.clock.now += STEP
    const other = door.visitor()
    expect((await signIn(other, person, door.clock.now)).status).toBe(503)
    expect([...other.jar.keys()]).toEqual(['xinqiao-jiangyin-visit'])
  })
})

describe('a session', () => {
  it('begins under a new id, whatever id the browser came with', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const who = door.visitor()
    who.jar.set('xinqiao-jiangyin-session', 'planted-by-another')
    await signIn(who, person, door.clock.now)
    const id = who.jar.get('xinqiao-jiangyin-session')
    expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const other = door.visitor()
    other.jar.set('xinqiao-jiangyin-session', 'planted-by-another')
    expect((await other.get('/console')).status).toBe(303)
  })

  it('is over when its owner signs out, also for whoever holds a copy of the cookie', async () => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang'))
    const thief = door.visitor()
    for (const [name, value] of who.jar) thief.jar.set(name, value)
    expect((await thief.get('/console')).status).toBe(200)
    const { status, location } = await who.post('/console/sign-out', { _csrf: await csrfOf(who) })
    expect([status, location]).toEqual([303, '/console/sign-in?out=1'])
    expect((await thief.get('/console')).status).toBe(303)
    expect((await who.get(location)).text).toContain('已退出')
  })

  it('ends after half an hour without a request, and lives on with one', async () => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang'))
    for (let i = 0; i < 3; i++) {
      door.clock.now += 29 * MINUTE
      expect((await who.get('/console')).status).toBe(200)
    }
    door.clock.now += 30 * MINUTE
    expect((await who.get('/console')).status).toBe(303)
  })

  it('ends after eight hours, however busy', async () => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang'))
    for (let gone = 20; gone < 480; gone += 20) {
      door.clock.now += 20 * MINUTE
      expect((await who.get('/console')).status).toBe(200)
    }
    door.clock.now += 20 * MINUTE
    expect((await who.get('/console')).status).toBe(303)
  })

  it.each<[string, (door: Awaited<ReturnType<typeof openDoor>>) => unknown]>([
    ['another role', door => door.known.change('wang', 'operator')],
    ['a reset', door => door.known.reset('wang', { kind: 'passkey' }, door.clock.now)],
    ['its account’s end', door => door.known.remove('wang')],
  ])('ends with %s', async (_, change) => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang'))
    await change(door)
    expect((await who.get('/console')).status).toBe(303)
    // Nor does it come back when all is as it was.
    door.known.change('wang', 'viewer')
    await door.known.make('wang', 'viewer', { kind: 'passkey' }, door.clock.now)
    expect((await who.get('/console')).status).toBe(303)
  })

  it('holds in every process of the machine, and after a restart', async () => {
    await using one = await openDoor()
    await using two = await openDoor({ data: one.data })
    const who = await one.inside(await one.person('wang'))
    const there = two.visitor()
    for (const [name, value] of who.jar) there.jar.set(name, value)
    expect((await there.get('/console')).text).toMatch(/^wang viewer /)
    await there.post('/console/sign-out', { _csrf: await csrfOf(there) })
    expect((await who.get('/console')).status).toBe(303)
  })

  it('is kept by the browser out of reach of scripts and other sites, and over http without what only TLS can hold', async () => {
    await using door = await openDoor()
    const who = door.visitor()
    const { cookies } = await signIn(who, await door.person('wang'), door.clock.now)
    const session = cookies.find(line => line.startsWith('xinqiao-jiangyin-session=')) ?? ''
    expect(session).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
  })
})

describe('over TLS', () => {
  it('every cookie is bound to this host, and the form is one of https', async () => {
    const root = await makeRoot()
    const leaf = await makeLeaf({ issuer: root, ip: ['127.0.0.1'] })
    await using door = await openDoor({ tls: { cert: leaf.certificate, key: leaf.key, ca: root.certificate } })
    const person = await door.person('wang')
    const who = door.visitor()
    const _csrf = await who.token('/console/sign-in')
    const form = { _csrf, name: 'wang', password: PASSWORD, code: codeAt(person.codeSecret, door.clock.now) }
    const plain = { origin: door.url.replace('https:', 'http:') }
    expect((await who.post('/console/sign-in', form, plain)).status).toBe(403)
    const { status, cookies } = await who.post('/console/sign-in', form)
    expect(status).toBe(303)
    const kept = cookies.filter(line => !/max-age=0/i.test(line))
    expect(kept).toHaveLength(2)
    for (const line of kept) {
      expect(line).toMatch(/^__Host-xinqiao-jiangyin-(session|device)=/)
      expect(line).toMatch(/; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
      expect(line).not.toMatch(/domain/i)
    }
    // The name without the prefix, which another host or plain http could have set, is not read.
    const planted = door.visitor()
    planted.jar.set('xinqiao-jiangyin-session', who.jar.get('__Host-xinqiao-jiangyin-session') ?? '')
    expect((await planted.get('/console')).status).toBe(303)
    expect((await who.get('/console')).status).toBe(200)
  })

  it('is what the connection is, not what a header says', async () => {
    await using door = await openDoor()
    await door.person('wang')
    const headers = { 'x-forwarded-proto': 'https', forwarded: 'proto=https' }
    const { cookies } = await door.visitor().get('/console/sign-in', headers)
    expect(cookies.join()).toMatch(/^xinqiao-jiangyin-visit=/)
    expect(cookies.join()).not.toContain('Secure')
  })
})

describe('a form', () => {
  it.each<[string, Record<string, string>, Record<string, string | undefined>]>([
    ['without a token', { _csrf: '' }, {}],
    ['with a token of another length', { _csrf: 'x' }, {}],
    ['with a token made up', { _csrf: 'A'.repeat(43) }, {}],
    ['from another origin', {}, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['from another origin, by an old browser', {}, { origin: 'https://evil.example', 'sec-fetch-site': undefined }],
    ['from another port of this host', {}, { origin: 'http://127.0.0.1:9', 'sec-fetch-site': 'same-site' }],
    ['from a page that hides where it is from', {}, { origin: 'null', 'sec-fetch-site': undefined }],
    ['from no page', {}, { origin: undefined, 'sec-fetch-site': 'none' }],
    ['that says nothing of where it is from', {}, { origin: undefined, 'sec-fetch-site': undefined }],
    ['as JSON', {}, { 'content-type': 'application/json' }],
    ['as plain text', {}, { 'content-type': 'text/plain' }],
  ])('%s does nothing: not on a page, not at sign-out, not at sign-in', async (_, over, headers) => {
    await using door = await openDoor()
    const person = await door.person('wang', 'operator')
    const who = await door.inside(person)
    const _csrf = await csrfOf(who)
    for (const path of ['/console/ask', '/console/sign-out']) {
      const { status, text } = await who.post(path, { _csrf, what: 'it', ...over }, headers)
      expect([status, text.includes('The form is not accepted'), text.includes('表单不被接受')]).toEqual([
        403,
        true,
        true,
      ])
    }
    expect((await who.get('/console')).status).toBe(200)
    const stranger = door.visitor()
    door.clock.now += STEP
    const form = { _csrf: await stranger.token('/console/sign-in'), name: 'wang', password: PASSWORD }
    const sent = { ...form, code: codeAt(person.codeSecret, door.clock.now), ...over }
    expect((await stranger.post('/console/sign-in', sent, headers)).status).toBe(403)
  })

  it('of one’s own session does what it says', async () => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang', 'operator'))
    const { status, text } = await who.post('/console/ask', { _csrf: await csrfOf(who), what: 'it' })
    expect([status, text]).toEqual([200, 'done it'])
  })

  it('of another session is refused', async () => {
    await using door = await openDoor()
    const one = await door.inside(await door.person('wang', 'operator'))
    const two = await door.inside(await door.person('li', 'operator'))
    expect((await two.post('/console/ask', { _csrf: await csrfOf(one) })).status).toBe(403)
  })

  it('without a session is told that it was not done', async () => {
    await using door = await openDoor()
    const { status, text } = await door.visitor().post('/console/ask', { what: 'it' })
    expect([status, text.includes('What was sent was not done')]).toEqual([401, true])
  })

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('by %s is no form either', async method => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang', 'operator'))
    const cookie = [...who.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const { request } = await import('node:http')
    const status = await new Promise<number | undefined>(resolve =>
      request(`${door.url}/console/ask`, { method, headers: { cookie } }, ({ statusCode }) =>
        resolve(statusCode),
      ).end(),
    )
    expect(status).not.toBe(200)
  })

  it.each(['/console/sign-in', '/console/ask', '/console/sign-out'])('of a megabyte is cut off at %s', async path => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang', 'operator'))
    const { status } = await who.post(path, `_csrf=x&what=${'x'.repeat(1_000_000)}`)
    expect(status).toBe(413)
  })
})

describe('a role', () => {
  const pages = { '/console': 0, '/console/enterprise': 1, '/console/ask': 2 }
  it.each([
    ['viewer', 0],
    ['auditor', 1],
    ['operator', 2],
  ] as const)('%s reaches what it reaches, by page and by request', async (role, rank) => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang', role))
    const _csrf = await csrfOf(who)
    for (const [path, least] of Object.entries(pages)) {
      const got = [await who.get(path), await who.post(path, { _csrf, role: 'operator', what: 'it' })]
      expect(got.map(({ status }) => status)).toEqual(rank >= least ? [200, 200] : [403, 403])
    }
  })

  it('that does not reach is told so in both languages, and it is recorded', async () => {
    await using door = await openDoor()
    const who = await door.inside(await door.person('wang', 'viewer'))
    const { status, text } = await who.get('/console/enterprise?role=operator', { 'x-role': 'operator' })
    expect([status, text.includes('没有权限'), text.includes('Not permitted')]).toEqual([403, true, true])
    expect((await door.done()).at(-1)).toMatchObject({ staff: 'wang', action: 'refused', page: 'enterprise' })
  })

  it('is not taken from a sign-in form', async () => {
    await using door = await openDoor()
    const who = door.visitor()
    await signIn(who, await door.person('wang', 'viewer'), door.clock.now, { role: 'operator' })
    expect((await who.get('/console/ask')).status).toBe(403)
  })
})

describe('guessing', () => {
  const wrong = { code: '000000' }

  it('waits longer each time up to a quarter of an hour; what comes meanwhile is not looked at, and the owner gets in after', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const waits: number[] = []
    for (let i = 0; i < 20; i++) {
      expect((await signIn(door.visitor(), person, door.clock.now, wrong)).status).toBe(401)
      if (i < 5) continue
      const { status, headers, text } = await signIn(door.visitor(), person, door.clock.now)
      expect([status, text.includes('尝试次数过多')]).toEqual([429, true])
      waits.push(Number(headers['retry-after']))
      door.clock.now += 1000 * (waits.at(-1) ?? 0)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900, 900])
    expect((await signIn(door.visitor(), person, door.clock.now)).status).toBe(303)
  })

  it('by a hundred at once is no hundred guesses', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const who = door.visitor()
    const _csrf = await who.token('/console/sign-in')
    const form = { _csrf, name: person.name, password: PASSWORD, ...wrong }
    const all = await Promise.all(Array.from({ length: 40 }, () => who.post('/console/sign-in', form)))
    expect(all.filter(({ status }) => status === 401)).toHaveLength(6)
    expect(all.filter(({ status }) => status === 429)).toHaveLength(34)
  })

  it('by a stranger does not hold up the owner at another address', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    for (let i = 0; i < 7; i++) await signIn(door.visitor('127.0.0.2'), person, door.clock.now, wrong)
    expect((await signIn(door.visitor('127.0.0.2'), person, door.clock.now)).status).toBe(429)
    expect((await signIn(door.visitor('127.0.0.3'), person, door.clock.now)).status).toBe(303)
  })

  it('from many addresses is bounded by the account: each guess waits for the one before', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const statuses: number[] = []
    for (let i = 0; i < 25; i++) {
      const who = door.visitor(`127.0.1.${i + 1}`)
      const { status, headers } = await signIn(who, person, door.clock.now, wrong)
      statuses.push(status)
      if (status === 429) expect(Number(headers['retry-after'])).toBeLessThanOrEqual(120)
    }
    expect(statuses).toEqual([...Array.from({ length: 21 }, () => 401), 429, 429, 429, 429])
  })

  it('by strangers beside the owner does not hold them up at a browser where they have signed in before', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const owner = await door.inside(person)
    await owner.post('/console/sign-out', { _csrf: await csrfOf(owner) })
    for (let i = 0; i < 6; i++) await signIn(door.visitor(), person, door.clock.now, wrong)
    door.clock.now += STEP
    for (let i = 0; i < 6; i++) await signIn(door.visitor(), person, door.clock.now, wrong)
    expect((await signIn(door.visitor(), person, door.clock.now)).status).toBe(429)
    expect((await signIn(owner, person, door.clock.now)).status).toBe(303)
  })

  it('at that browser is slowed all the same, and its mark is worth nothing for another name', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const other = await door.person('li')
    const owner = await door.inside(person)
    owner.jar.delete('xinqiao-jiangyin-session')
    for (let i = 0; i < 6; i++) expect((await signIn(owner, person, door.clock.now, wrong)).status).toBe(401)
    expect((await signIn(owner, person, door.clock.now, wrong)).status).toBe(429)
    for (let i = 0; i < 6; i++) await signIn(door.visitor(), other, door.clock.now, wrong)
    expect((await signIn(owner, other, door.clock.now, wrong)).status).toBe(429)
  })

  it('at that browser counts as a stranger’s after a reset', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const owner = await door.inside(person)
    owner.jar.delete('xinqiao-jiangyin-session')
    await door.known.reset('wang', { kind: 'password', password: PASSWORD }, door.clock.now)
    for (let i = 0; i < 6; i++) await signIn(door.visitor(), person, door.clock.now, wrong)
    expect((await signIn(owner, person, door.clock.now, wrong)).status).toBe(429)
  })

  it('at name after name is slowed by the address', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const statuses: number[] = []
    for (let i = 0; i < 32; i++) {
      statuses.push((await signIn(door.visitor(), person, door.clock.now, { name: `made-up-${i}` })).status)
    }
    expect(statuses).toEqual([...Array.from({ length: 31 }, () => 401), 429])
  })

  it('is slowed by the address of the connection, whatever a header says', async () => {
    await using door = await openDoor()
    await door.person('wang')
    const statuses: number[] = []
    for (let i = 0; i < 7; i++) {
      const who = door.visitor()
      const form = { _csrf: await who.token('/console/sign-in'), name: 'wang', password: 'x', ...wrong }
      const headers = { 'x-forwarded-for': `10.0.0.${i}`, forwarded: `for=10.0.0.${i}`, 'x-real-ip': `10.0.0.${i}` }
      statuses.push((await who.post('/console/sign-in', form, headers)).status)
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 401, 429])
  })

  it('is slowed for a name that is unknown as for one that is known', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const course = async (name: string) => {
      const statuses: number[] = []
      for (let i = 0; i < 8; i++) {
        statuses.push((await signIn(door.visitor(), person, door.clock.now, { ...wrong, name })).status)
      }
      return statuses
    }
    expect(await course('nobody')).toEqual(await course('wang'))
    const kept = JSON.stringify(door.store.db.prepare('SELECT * FROM attempt').all())
    expect(kept).not.toContain('nobody')
  })

  it('tells a known name from an unknown one neither by words nor by time', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    await door.known.make('li', 'viewer', { kind: 'passkey' }, door.clock.now)
    const times: Record<string, number[]> = { wang: [], li: [], nobody: [] }
    const texts = new Set<string>()
    for (let i = 0; i < 9; i++) {
      for (const [name, taken] of Object.entries(times)) {
        const who = door.visitor()
        const _csrf = await who.token('/console/sign-in')
        const began = performance.now()
        const { text } = await who.post('/console/sign-in', { _csrf, name, password: 'x', code: '000000' })
        taken.push(performance.now() - began)
        texts.add(text.replaceAll(/value="[^"]*"/g, ''))
      }
      door.clock.now += 20 * MINUTE
    }
    expect(texts.size).toBe(1)
    const [known = 0, ...others] = Object.values(times).map(taken => taken.toSorted((a, b) => a - b)[4] ?? 0)
    for (const other of others) expect(Math.abs(other - known) / known).toBeLessThan(0.5)
    expect(person.name).toBe('wang')
  })

  it('is forgiven by what is right, and forgotten after a quiet day', async () => {
    await using door = await openDoor()
    const person = await door.person('wang')
    for (let i = 0; i < 5; i++) await signIn(door.visitor(), person, door.clock.now, wrong)
    await door.inside(person)
    for (let i = 0; i < 6; i++) expect((await signIn(door.visitor(), person, door.clock.now, wrong)).status).toBe(401)
    door.clock.now += 24 * HOUR
    for (let i = 0; i < 6; i++) expect((await signIn(door.visitor(), person, door.clock.now, wrong)).status).toBe(401)
  })
})

describe('the way back', () => {
  it.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example',
    '/console\\..\\evil',
    '/console@evil.example',
    '/console.evil.example/',
    'javascript:alert(1)',
    '/other',
    '/console/\r\nSet-Cookie: x=y',
    '/console/\u0000',
    `/console/${'x'.repeat(3000)}`,
    '/console/sign-out',
    '',
  ])('leads nowhere else: %j', async there => {
    await using door = await openDoor()
    const person = await door.person('wang')
    const { status, location, headers } = await signIn(door.visitor(), person, door.clock.now, { return: there })
    expect([status, location]).toEqual([303, '/console'])
    expect(headers['x']).toBeUndefined()
    const page = await door.visitor().get(`/console/sign-in?return=${encodeURIComponent(there)}`)
    expect(page.text).toContain('name="return" value="/console"')
  })

  it('leads to the page that was asked for, with its filter', async () => {
    await using door = await openDoor()
    const who = door.visitor()
    const { location } = await who.get('/console/enterprise?peer=huizhou&matter=%E8%8B%8F')
    const there = new URL(location, door.url).searchParams.get('return') ?? ''
    const person = await door.person('wang')
    expect((await signIn(who, person, door.clock.now, { return: there })).location).toBe(
      '/console/enterprise?peer=huizhou&matter=%E8%8B%8F',
    )
  })

  it('is of this console for every text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.webUrl({ withQueryParameters: true }), (text, url) => {
        for (const each of [text, url, `/console${text}`, `/console/${url}`, `/console?${text}`]) {
          const found = new URL(wayBack(each), 'http://here.example')
          expect(found.origin).toBe('http://here.example')
          expect(found.pathname).toMatch(/^\/console(\/|$)/)
        }
      }),
    )
  })
})

describe('what is typed', () => {
  it('stays text', async () => {
    await using door = await openDoor()
    await door.person('wang')
    const { text } = await door
      .visitor()
      .get('/console/sign-in?return=/console/%22%3E%3Cscript%3Ealert(1)%3C/script%3E')
    expect(text).not.toContain('<script')
    expect(tokenIn(text)).not.toBe('')
  })
})
