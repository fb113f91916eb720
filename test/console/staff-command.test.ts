/** The first account is made by a command on the gateway's machine; what it shows once is all that signs in. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { URI } from 'otpauth'
import { decodeQR } from 'qr/decode.js'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigurationError } from '#protocol/fault.ts'
import { readSettings } from '../../src/settings.ts'
import { childEnv } from '../child.ts'
import { openDoor, signIn } from './door.ts'

/** Each call starts a program of its own, several in one test. */
const PATIENCE = 120_000

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-staff-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const home = join(import.meta.dirname, '..', '..')

function environment(data: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { XINQIAO_CITY: 'jiangyin', XINQIAO_KEYS: 'keys', XINQIAO_DATA: data, XINQIAO_SOURCE: 'sqlite:x', ...more }
}

type Ran = { readonly code: number; readonly out: string; readonly err: string }

function staff(data: string, words: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const cli = [join(home, 'src', 'cli.ts'), 'staff', ...words]
  execFile(process.execPath, cli, { cwd: folder, env: childEnv(environment(data, more)) }, (error, out, err) =>
    resolve({ code: error === null ? 0 : Number(error.code), out, err }),
  )
  return promise
}

/** What the command printed: the password, and the secret out of the URI. */
function shown(out: string) {
  const password = /密码 password {2}(\S+)/.exec(out)?.[1] ?? ''
  const uri = /otpauth:\S+/.exec(out)?.[0] ?? ''
  return { password, uri, codeSecret: URI.parse(uri).secret.base32 }
}

/** Two rows of modules stand in one line of blocks; light is drawn, dark is left out. */
function readQr(out: string): string {
  const lines = out.split('\n').filter(line => /^[█▀▄ ]{20,}$/.test(line))
  const light = lines.flatMap(line => ['█▀', '█▄'].map(drawn => [...line].map(block => drawn.includes(block))))
  const scale = 4
  const [width, height] = [(light[0]?.length ?? 0) * scale, light.length * scale]
  const data = new Uint8Array(width * height * 4)
  for (let at = 0; at < width * height; at++) {
    const isLight = light[Math.floor(at / width / scale)]?.[Math.floor((at % width) / scale)] ?? true
    data.fill(isLight ? 255 : 0, at * 4, at * 4 + 3)
    data[at * 4 + 3] = 255
  }
  return decodeQR({ width, height, data })
}

describe('xinqiao staff', { timeout: PATIENCE }, () => {
  it('makes an account that signs in, gives it another role, makes its credentials anew, and removes it', async () => {
    await using door = await openDoor()
    const { code, out, err } = await staff(door.data, ['new', '王伟', '--role', 'operator'])
    expect([code, err]).toEqual([0, expect.stringContaining('只显示这一次')])
    const first = shown(out)
    expect(first.uri).toContain('algorithm=SHA1&digits=6&period=30')
    expect(first.password).toMatch(/^([a-z2-9]{5}-){3}[a-z2-9]{5}$/)
    const person = { name: '王伟', role: 'operator', codeSecret: first.codeSecret } as const
    const who = door.visitor()
    expect((await signIn(who, person, door.clock.now, { password: first.password })).status).toBe(303)
    expect((await who.get('/console/ask')).status).toBe(200)

    expect((await staff(door.data, ['role', '王伟', '--role', 'viewer'])).code).toBe(0)
    expect((await who.get('/console')).status).toBe(303)
    const second = shown((await staff(door.data, ['reset', '王伟'])).out)
    door.clock.now += 30_000
    expect((await signIn(door.visitor(), person, door.clock.now, { password: first.password })).status).toBe(401)
    const anew = { ...person, codeSecret: second.codeSecret }
    expect((await signIn(who, anew, door.clock.now, { password: second.password })).status).toBe(303)
    expect((await who.get('/console/ask')).status).toBe(403)

    const listed = await staff(door.data, ['list', '--json'])
    expect(JSON.parse(listed.out)).toMatchObject([{ name: '王伟', role: 'viewer', means: 'password' }])
    expect((await staff(door.data, ['remove', '王伟'])).code).toBe(0)
    expect((await who.get('/console')).status).toBe(303)
    expect((await staff(door.data, ['list'])).out).toContain('没有账户')
  })

  it('draws a QR code that an authenticator app reads', async () => {
    const data = mkdtempSync(join(folder, 'data-'))
    const { out } = await staff(data, ['new', 'wang', '--role', 'viewer'])
    expect(readQr(out)).toBe(shown(out).uri)
    expect(statSync(join(data, 'staff.sqlite')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(data, 'staff.sqlite')).includes(shown(out).password)).toBe(false)
  })

  it('makes a link to enrol a passkey, under the address that staff type in', async () => {
    const data = mkdtempSync(join(folder, 'data-'))
    const made = await staff(data, ['new', 'wang', '--role', 'viewer', '--passkey'])
    expect(made.out).toMatch(/^http:\/\/localhost:8080\/console\/enrol\/[A-Za-z0-9_-]{43}$/m)
    const named = await staff(data, ['reset', 'wang', '--passkey'], {
      XINQIAO_INSIDE_LISTEN: '0.0.0.0:8080',
      XINQIAO_INSIDE_TLS: 'tls',
      XINQIAO_STAFF_ORIGIN: 'https://credit.example',
    })
    expect(named.out).toMatch(/^https:\/\/credit\.example\/console\/enrol\//m)
    const nowhere = await staff(data, ['reset', 'wang', '--passkey'], {
      XINQIAO_INSIDE_LISTEN: '0.0.0.0:8080',
      XINQIAO_INSIDE_TLS: 'tls',
    })
    expect([nowhere.code, nowhere.err.includes('XINQIAO_STAFF_ORIGIN')]).toEqual([1, true])
  })

  it('takes a password that was chosen, if it is long, unread by others and without the name', async () => {
    const data = mkdtempSync(join(folder, 'data-'))
    const file = join(folder, 'password')
    const from = async (text: string, mode: number) => {
      rmSync(file, { force: true })
      writeFileSync(file, text, { mode })
      return staff(data, ['new', 'wang', '--role', 'viewer', '--password-file', file])
    }
    expect((await from('a long enough secret\n', 0o644)).err).toContain('chmod 600')
    expect((await from('short\n', 0o600)).err).toContain('12')
    expect((await from('my name is wang, is it not\n', 0o600)).err).toContain('包含用户名')
    const { code, out } = await from('a long enough secret\n', 0o600)
    expect([code, out.includes('密码 password')]).toEqual([0, false])
  })

  it('says what is wrong, and makes nothing', async () => {
    const data = mkdtempSync(join(folder, 'data-'))
    const wrong: readonly (readonly [number, ...string[]])[] = [
      [2, 'new', 'wang'],
      [2, 'new', 'wang', '--role', 'admin'],
      [2, 'new', '110101199003077758', '--role', 'viewer'],
      [2, 'new', 'unknown', '--role', 'viewer'],
      [1, 'remove', 'wang'],
      [1, 'reset', 'wang'],
      [1, 'role', 'wang', '--role', 'viewer'],
    ]
    const ran = await Promise.all(wrong.map(([, ...words]) => staff(data, words)))
    expect(ran.map(({ code }) => code)).toEqual(wrong.map(([code]) => code))
    expect(JSON.parse((await staff(data, ['list', '--json'])).out)).toEqual([])
    await staff(data, ['new', 'wang', '--role', 'viewer'])
    expect((await staff(data, ['new', 'WANG', '--role', 'operator'])).code).toBe(1)
  })
})

describe('the settings of staff', () => {
  const provider = { XINQIAO_STAFF_ISSUER: 'https://id.example', XINQIAO_STAFF_ROLES: 'audit=auditor' }
  const faults = (more: Readonly<Record<string, string>>): readonly string[] => {
    try {
      readSettings(environment('data', more))
      return []
    } catch (error) {
      if (error instanceof ConfigurationError) return error.faults.map(({ path }) => path)
      throw error
    }
  }

  it('are the local accounts at this machine’s own address where nothing is said', () => {
    expect(readSettings(environment('data')).staff).toEqual({ origin: 'http://localhost:8080', provider: undefined })
  })

  it('name a provider with the role of each value, whatever stands in it', () => {
    const { staff } = readSettings(
      environment('data', { ...provider, XINQIAO_STAFF_ROLES: 'audit=auditor, cn=ops=operator' }),
    )
    expect(staff.provider).toMatchObject({ issuer: 'https://id.example', nameClaim: 'sub', roleClaim: 'roles' })
    expect([...(staff.provider?.roles ?? [])]).toEqual([
      ['audit', 'auditor'],
      ['cn=ops', 'operator'],
    ])
  })

  it.each([
    ['an issuer in clear', { ...provider, XINQIAO_STAFF_ISSUER: 'http://id.example' }, 'XINQIAO_STAFF_ISSUER'],
    [
      'one that only seems near',
      { ...provider, XINQIAO_STAFF_ISSUER: 'http://localhost.example' },
      'XINQIAO_STAFF_ISSUER',
    ],
    [
      'one with another’s name before it',
      { ...provider, XINQIAO_STAFF_ISSUER: 'http://localhost@id.example' },
      'XINQIAO_STAFF_ISSUER',
    ],
    ['no roles', { XINQIAO_STAFF_ISSUER: 'https://id.example' }, 'XINQIAO_STAFF_ROLES'],
    ['a role that is none', { ...provider, XINQIAO_STAFF_ROLES: 'audit=admin' }, 'XINQIAO_STAFF_ROLES'],
    ['a value that is empty', { ...provider, XINQIAO_STAFF_ROLES: '=auditor' }, 'XINQIAO_STAFF_ROLES'],
    ['a scope without openid', { ...provider, XINQIAO_STAFF_SCOPE: 'profile' }, 'XINQIAO_STAFF_SCOPE'],
    ['an origin with a path', { XINQIAO_STAFF_ORIGIN: 'https://credit.example/console' }, 'XINQIAO_STAFF_ORIGIN'],
    ['an origin with a slash', { XINQIAO_STAFF_ORIGIN: 'https://credit.example/' }, 'XINQIAO_STAFF_ORIGIN'],
    [
      'no address to come back to',
      { ...provider, XINQIAO_INSIDE_LISTEN: '0.0.0.0:1', XINQIAO_INSIDE_TLS: 'tls' },
      'XINQIAO_STAFF_ORIGIN',
    ],
  ])('are refused with %s', (_, more, name) => {
    expect(faults(more)).toEqual([name])
  })
})
