/** Whoever the city's own provider vouches for gets in with the role that its claim names, and by no other word than its own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { ProviderSettings } from '../../src/console/provider.ts'
import { openStaffing } from '../../src/console/staff.ts'
import { directory } from '../ledger/sample.ts'
import { type CityProvider, type Forge, openCityProvider } from './city-provider.ts'
import { csrfOf, type Door, newPerson, openDoor, PASSWORD } from './door.ts'
import type { Visitor } from './visitor.ts'

const seconds = () => Math.floor(Date.now() / 1000)

type City = AsyncDisposable & {
  readonly door: Door
  readonly provider: CityProvider
  readonly settings: ProviderSettings
}

async function openCity(over: Partial<ProviderSettings> = {}, idTokenHolds = false): Promise<City> {
  const stack = new AsyncDisposableStack()
  let at = ''
  const provider = stack.use(await openCityProvider(() => `${at}/console/sign-in/callback`, { idTokenHolds }))
  const settings = {
    origin: '',
    issuer: provider.issuer,
    clientId: 'xinqiao',
    secretFile: provider.secretFile,
    scope: 'openid profile',
    nameClaim: 'sub',
    roleClaim: 'roles',
    roles: new Map([
      ['credit', 'viewer'],
      ['audit', 'auditor'],
      ['ops=jiangyin', 'operator'],
    ] as const),
    ...over,
  }
  const door = stack.use(
    await openDoor({
      provider: origin => {
        at = origin
        return { ...settings, origin }
      },
    }),
  )
  return { door, provider, settings, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** To the provider and back, up to the answer of the console; `astray` may change the address on the way back. */
async function signIn({ provider }: City, who: Visitor, login: string, astray = (url: string) => url) {
  const { location } = await who.get('/console/sign-in/provider?return=/console/enterprise')
  const back = new URL(astray(await provider.walk(location, login)))
  return who.get(back.pathname + back.search)
}

describe('signing in through the provider', () => {
  it.each([
    ['its user page', false],
    ['the ID token', true],
  ])('lets in with the role that a claim of %s names', async (_, idTokenHolds) => {
    await using city = await openCity({}, idTokenHolds)
    city.provider.people.set('wang', { roles: ['staff', 'audit', 'credit'] })
    const who = city.door.visitor()
    const { status, headers, text, cookies } = await signIn(city, who, 'wang')
    expect([status, headers['refresh'], text.includes('正在进入')]).toEqual([200, '0; url=/console/enterprise', true])
    expect((await who.get('/console')).text).toMatch(/^wang auditor /)
    expect(cookies.join()).toContain('xinqiao-jiangyin-flow=;')
    expect((await city.door.done())[0]).toMatchObject({ staff: 'wang', role: 'auditor', action: 'signed-in' })
    const out = await who.post('/console/sign-out', { _csrf: await csrfOf(who) })
    expect(out.status).toBe(303)
    expect((await who.get(out.location)).text).toContain(`${city.provider.issuer}/session/end`)
  })

  it('anew ends the session before, which a thief may hold', async () => {
    await using city = await openCity()
    city.provider.people.set('wang', { roles: 'credit' })
    const who = city.door.visitor()
    await signIn(city, who, 'wang')
    const thief = city.door.visitor()
    for (const [name, value] of who.jar) thief.jar.set(name, value)
    expect((await thief.get('/console')).status).toBe(200)
    await signIn(city, who, 'wang')
    expect((await thief.get('/console')).status).toBe(303)
    expect((await who.get('/console')).status).toBe(200)
  })

  it('asks with PKCE, state and nonce that are new each time', async () => {
    await using city = await openCity()
    const asked = async () => {
      const { location } = await city.door.visitor().get('/console/sign-in/provider')
      return Object.fromEntries(new URL(location).searchParams)
    }
    const [one, two] = [await asked(), await asked()]
    expect(one).toMatchObject({ response_type: 'code', code_challenge_method: 'S256', client_id: 'xinqiao' })
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(one[name]).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect(one[name]).not.toBe(two[name])
    }
  })

  it.each<[string, Record<string, unknown>, string | undefined]>([
    ['one text', { roles: 'credit' }, 'viewer'],
    ['a name with a separator in it', { roles: ['ops=jiangyin'] }, 'operator'],
    ['the highest of several', { roles: ['audit', 'ops=jiangyin', 'credit'] }, 'operator'],
    ['no role of ours', { roles: ['operator', 'viewer', 'admin'] }, undefined],
    ['an empty list', { roles: [] }, undefined],
    ['nothing', {}, undefined],
    ['an object', { roles: { credit: true } }, undefined],
    ['a list of lists', { roles: [['audit']] }, undefined],
    ['a name that every object has', { roles: ['constructor', '__proto__'] }, undefined],
  ])('takes from a claim with %s the role it names', async (_, claims, role) => {
    await using city = await openCity()
    city.provider.people.set('wang', claims)
    const who = city.door.visitor()
    const { status, text } = await signIn(city, who, 'wang')
    const [entry] = await city.door.done()
    if (role === undefined) {
      expect([status, text.includes('no role here'), text.includes('没有为您设置本系统的角色')]).toEqual([
        403,
        true,
        true,
      ])
      expect(entry).toMatchObject({ staff: 'wang', role: 'viewer', action: 'sign-in-refused' })
      expect((await who.get('/console')).status).toBe(303)
    } else expect(entry).toMatchObject({ staff: 'wang', role, action: 'signed-in' })
  })

  it('reads a claim inside another', async () => {
    await using city = await openCity({ roleClaim: 'realm_access.roles' })
    city.provider.people.set('wang', { realm_access: { roles: ['audit'] } })
    expect((await signIn(city, city.door.visitor(), 'wang')).status).toBe(200)
  })

  it('writes no person’s number into the ledger, and tells two such people apart', async () => {
    await using city = await openCity({ nameClaim: 'number' })
    city.provider.people.set('a', { roles: 'credit', number: '110101199003077758' })
    city.provider.people.set('b', { roles: 'credit', number: '13812345678' })
    city.provider.people.set('c', { number: '13812345679' })
    for (const login of ['a', 'b', 'c', 'a']) await signIn(city, city.door.visitor(), login)
    const names = (await city.door.done()).map(({ staff }) => staff)
    for (const name of names) expect(name).toMatch(/^\*{11,18}#[A-Za-z0-9_-]{10}$/)
    expect(new Set(names).size).toBe(3)
    expect(names[3]).toBe(names[0])
  })
})

describe('what the provider says is refused', () => {
  const other = generateKeyPair('RS256')
  const forged: readonly (readonly [string, string, Forge])[] = [
    ['for another nonce', 'nonce', (claims, sign) => sign({ ...claims, nonce: 'another' })],
    ['without a nonce', 'nonce', ({ nonce: _, ...claims }, sign) => sign(claims)],
    ['by another issuer', 'iss', (claims, sign) => sign({ ...claims, iss: 'https://other.example' })],
    ['for another client', 'aud', (claims, sign) => sign({ ...claims, aud: 'another' })],
    [
      'for several clients, given to another',
      'azp',
      (claims, sign) => sign({ ...claims, aud: ['xinqiao', 'b'], azp: 'b' }),
    ],
    ['that expired', 'exp', (claims, sign) => sign({ ...claims, iat: seconds() - 900, exp: seconds() - 60 })],
    ['without an end', 'exp', ({ exp: _, ...claims }, sign) => sign(claims)],
    ['without a subject', 'sub', ({ sub: _, ...claims }, sign) => sign(claims)],
    ['signed by nobody', 'alg', async claims => new UnsecuredJWT(claims).encode()],
    ['signed by another key', 'signature', async claims => rs256(claims, (await other).privateKey)],
    [
      'signed with the client’s secret',
      'alg',
      async claims =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', kid: 'city' })
          .sign(Buffer.from('client secret of the console, 32+ bytes')),
    ],
    [
      'with a changed claim under the old signature',
      'signature',
      async (claims, sign) => {
        const [head, , signature] = (await sign(claims)).split('.')
        const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'li' })).toString('base64url')
        return `${head}.${changed}.${signature}`
      },
    ],
    ['that is no token', 'Invalid JWT', async () => 'token'],
  ]
  const rs256 = (claims: JWTPayload, key: Parameters<SignJWT['sign']>[0]) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'city' }).sign(key)

  it('not where nothing was changed', async () => {
    await using city = await openCity({}, true)
    city.provider.people.set('wang', { roles: 'credit' })
    city.provider.forge = (claims, sign) => sign(claims)
    expect((await signIn(city, city.door.visitor(), 'wang')).status).toBe(200)
  })

  it.each(forged)('in a token %s, for its %s', async (_, why, forge) => {
    await using city = await openCity({}, true)
    city.provider.people.set('wang', { roles: 'credit' })
    city.provider.forge = forge
    const who = city.door.visitor()
    const { status, text } = await signIn(city, who, 'wang')
    expect([status, text.includes('could not be verified'), text.includes('不能被核实')]).toEqual([403, true, true])
    expect((await who.get('/console')).status).toBe(303)
    expect(await city.door.done()).toMatchObject([{ staff: 'unknown', action: 'sign-in-refused' }])
    expect(city.door.logged).toMatchObject([{ why: expect.stringContaining(why) }])
  })
})

describe('the way back', () => {
  it.each<[string, (url: URL) => void]>([
    ['another state', url => url.searchParams.set('state', 'x'.repeat(43))],
    ['no state', url => url.searchParams.delete('state')],
    ['two states', url => url.searchParams.append('state', 'x')],
    ['another code', url => url.searchParams.set('code', 'x'.repeat(43))],
    ['no code', url => url.searchParams.delete('code')],
    ['another issuer', url => url.searchParams.set('iss', 'https://other.example')],
    [
      'a refusal in place of a code',
      url => {
        url.searchParams.delete('code')
        url.searchParams.set('error', 'access_denied')
      },
    ],
  ])('with %s leads nowhere', async (_, change) => {
    await using city = await openCity()
    city.provider.people.set('wang', { roles: 'credit' })
    const who = city.door.visitor()
    const { status } = await signIn(city, who, 'wang', text => {
      const url = new URL(text)
      change(url)
      return url.href
    })
    expect(status).toBe(403)
    expect((await who.get('/console')).status).toBe(303)
  })

  it('serves once, and only the browser that left', async () => {
    await using city = await openCity()
    city.provider.people.set('wang', { roles: 'credit' })
    const who = city.door.visitor()
    const { location } = await who.get('/console/sign-in/provider')
    const copy = new Map(who.jar)
    const back = new URL(await city.provider.walk(location, 'wang'))
    const victim = city.door.visitor()
    expect((await victim.get(back.pathname + back.search)).status).toBe(400)
    // One that left on a way of its own cannot be sent back on another's.
    await victim.get('/console/sign-in/provider')
    expect((await victim.get(back.pathname + back.search)).status).toBe(403)
    expect((await who.get(back.pathname + back.search)).status).toBe(200)
    const again = city.door.visitor()
    for (const [name, value] of copy) again.jar.set(name, value)
    expect((await again.get(back.pathname + back.search)).status).toBe(400)
  })

  it('is over after ten minutes', async () => {
    await using city = await openCity()
    city.provider.people.set('wang', { roles: 'credit' })
    const who = city.door.visitor()
    const { status } = await signIn(city, who, 'wang', url => {
      city.door.clock.now += 600_000
      return url
    })
    expect(status).toBe(400)
  })

  it('leads to no other place than the console', async () => {
    await using city = await openCity()
    city.provider.people.set('wang', { roles: 'credit' })
    const who = city.door.visitor()
    const { location } = await who.get('/console/sign-in/provider?return=https://evil.example/')
    const back = new URL(await city.provider.walk(location, 'wang'))
    expect((await who.get(back.pathname + back.search)).headers['refresh']).toBe('0; url=/console')
  })
})

describe('with a provider', () => {
  it('a local account does not hold, nor does a session of one', async () => {
    await using local = await openDoor()
    const who = await local.inside(await local.person('wang', 'operator'))
    await using city = await openCity()
    await newPerson(city.door.known, 'wang', 'operator')
    const there = city.door.visitor()
    for (const [name, value] of who.jar) there.jar.set(name, value)
    expect((await there.get('/console')).status).toBe(303)
    expect((await there.post('/console/sign-in', { name: 'wang', password: PASSWORD })).status).toBe(404)
    expect((await there.get('/console/sign-in')).text).not.toContain('name="password"')
  })

  it('a change of what its claims mean ends the sessions that rested on it', async () => {
    await using city = await openCity()
    city.provider.people.set('wang', { roles: 'credit' })
    const who = city.door.visitor()
    await signIn(city, who, 'wang')
    expect((await who.get('/console')).status).toBe(200)
    await using changed = await openDoor({
      data: city.door.data,
      provider: origin => ({ ...city.settings, origin, roles: new Map([['credit', 'operator']]) }),
    })
    const there = changed.visitor()
    for (const [name, value] of who.jar) there.jar.set(name, value)
    expect((await there.get('/console')).status).toBe(303)
  })

  it('that is not there, the page says so, and the next attempt finds it', async () => {
    await using city = await openCity({ issuer: 'http://localhost:9' })
    const who = city.door.visitor()
    const { status, text } = await who.get('/console/sign-in/provider')
    expect([status, text.includes('无法连接'), text.includes('cannot be reached')]).toEqual([502, true, true])
  })

  it.each([
    ['is not there', undefined, 0o600],
    ['others may read', 'secret', 0o644],
    ['is empty', '\n', 0o600],
  ])('the secret of the client is refused when its file %s', async (_, text, mode) => {
    await using door = await openDoor()
    const secretFile = join(directory(), 'secret')
    if (text !== undefined) writeFileSync(secretFile, text, { mode })
    const rest = {
      issuer: 'https://id.example',
      clientId: 'xinqiao',
      scope: 'openid',
      nameClaim: 'sub',
      roleClaim: 'r',
    }
    const provider = { origin: door.origin, secretFile, roles: new Map(), ...rest }
    const { data, ledger, origin } = door
    const log = { warn: () => undefined }
    expect(() => openStaffing({ data, city: 'jiangyin', ledger, now: Date.now, log, origin, provider })).toThrow(
      /XINQIAO_STAFF_SECRET_FILE/,
    )
  })
})
