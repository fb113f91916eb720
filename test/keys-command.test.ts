/** An operator makes, changes and certifies keys with one command each, and a key file is never more open than it has to be. */
import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { algorithmOf, algorithms, keyId } from '#trust/jws.ts'
import { requestedKey } from '#trust/request.ts'
import { readEncryptionJwk } from '#trust/seal.ts'
import { type Federation, home, makeFederation } from '../src/federation.ts'
import { startGateway } from '../src/gateway.ts'
import { childEnv } from './child.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-keys-'))
let federation: Federation
beforeAll(async () => {
  federation = await makeFederation(join(folder, 'federation'), { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Ran = { readonly code: number; readonly out: string; readonly err: string }

function xinqiao(words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const { promise, resolve } = Promise.withResolvers<Ran>()
  const options = { cwd: folder, env: childEnv(environment) }
  execFile(process.execPath, [join(home, 'src', 'cli.ts'), ...words], options, (error, out, err) =>
    resolve({ code: error === null ? 0 : Number(error.code), out, err }),
  )
  return promise
}

const made = (name: string) => {
  const path = join(folder, name)
  rmSync(path, { recursive: true, force: true })
  return mkdtempSync(`${path}-`)
}

describe('keys new', () => {
  it.each([...algorithms])('makes a signing key for %s, for us alone to read, and a request for it', async alg => {
    const dir = made('new')
    const { code, out } = await xinqiao(['keys', 'new', 'signing', 'linjiang', '--dir', dir, '--alg', alg])
    expect([code, out]).toEqual([0, expect.stringContaining(join(dir, 'linjiang-signing.csr.pem'))])
    expect(statSync(join(dir, 'signing.pem')).mode & 0o777).toBe(0o600)
    const key = createPrivateKey(readFileSync(join(dir, 'signing.pem')))
    const requested = requestedKey(readFileSync(join(dir, 'linjiang-signing.csr.pem'), 'utf8'))
    expect([algorithmOf(requested), keyId(requested)]).toEqual([alg, keyId(key)])
  })

  it('makes an encryption key, and prints what is handed to the office', async () => {
    const dir = made('new')
    const { out } = await xinqiao(['keys', 'new', 'encryption', 'linjiang', '--dir', dir])
    const printed = readEncryptionJwk(JSON.parse(/\{.*\}/.exec(out)?.[0] ?? ''))
    expect(printed.kid).toBe(keyId(createPrivateKey(readFileSync(join(dir, 'encryption.pem')))))
    expect(out).not.toMatch(/"d":/)
  })

  it('makes the key of a log, for us alone and once', async () => {
    const dir = made('new')
    const words = ['keys', 'new', 'log', 'linjiang', '--dir', dir]
    expect(await xinqiao(words)).toMatchObject({ code: 0, out: expect.stringContaining('log.pem') })
    expect(statSync(join(dir, 'log.pem')).mode & 0o777).toBe(0o600)
    expect(createPrivateKey(readFileSync(join(dir, 'log.pem'), 'utf8')).asymmetricKeyType).toBe('ed25519')
    expect((await xinqiao(words)).code).toBe(1)
  })

  it('never overwrites a key', async () => {
    const dir = made('new')
    const words = ['keys', 'new', 'transport', 'linjiang', '--dir', dir]
    expect((await xinqiao(words)).code).toBe(0)
    const before = readFileSync(join(dir, 'transport.pem'), 'utf8')
    expect(await xinqiao(words)).toMatchObject({ code: 1, err: expect.stringContaining('is not overwritten') })
    expect(readFileSync(join(dir, 'transport.pem'), 'utf8')).toBe(before)
  })

  it.each([
    ['another use', ['keys', 'new', 'wedding', 'linjiang', '--dir', folder]],
    ['another algorithm', ['keys', 'new', 'signing', 'linjiang', '--dir', folder, '--alg', 'RS256']],
    ['no city', ['keys', 'new', 'signing', '--dir', folder]],
    ['no folder', ['keys', 'new', 'signing', 'linjiang']],
    ['nothing', ['keys']],
  ])('with %s is told the usage', async (_, words) => {
    expect(await xinqiao(words)).toMatchObject({ code: 2, err: expect.stringContaining('usage') })
  })

  it('with a passphrase writes a file that nobody else opens, and the gateway does with the same', async () => {
    const { settings, environment } = federation.city('huizhou')
    const passphrase = join(folder, 'passphrase')
    writeFileSync(passphrase, 'correct horse battery staple\n', { mode: 0o600 })
    const words = ['keys', 'rotate', 'signing', '--out', folder]
    const { code } = await xinqiao(words, { ...environment, XINQIAO_KEYS_PASSPHRASE_FILE: passphrase })
    expect(code).toBe(0)
    const [file = ''] = readdirSync(settings.keys).filter(name => /^signing-.*\.pem$/.test(name))
    expect(readFileSync(join(settings.keys, file), 'utf8')).toContain('ENCRYPTED PRIVATE KEY')
    await expect(startGateway(settings)).rejects.toThrow(/the key is encrypted.*XINQIAO_KEYS_PASSPHRASE_FILE/)
    writeFileSync(`${passphrase}-wrong`, 'correct horse\n', { mode: 0o600 })
    await expect(startGateway({ ...settings, passphrase: `${passphrase}-wrong` })).rejects.toThrow(/does not open/)
    writeFileSync(`${passphrase}-open`, 'correct horse battery staple\n', { mode: 0o644 })
    await expect(startGateway({ ...settings, passphrase: `${passphrase}-open` })).rejects.toThrow(/others may read/)
    await (await startGateway({ ...settings, passphrase })).close()
    rmSync(join(settings.keys, file))
  })
})

describe('keys rotate, request and show', () => {
  it('make the next key beside the one in use, and show which of them signs', async () => {
    const { environment, settings } = federation.city('jiangyin')
    const before = await xinqiao(['keys', 'show', '--json'], environment)
    const { signing } = JSON.parse(before.out)
    expect(signing).toEqual([
      { kid: expect.any(String), alg: 'ES256', certifiedUntil: expect.any(String), inUse: true },
    ])
    const rotated = await xinqiao(['keys', 'rotate', 'signing', '--out', folder], environment)
    expect([rotated.code, rotated.out]).toEqual([
      0,
      expect.stringMatching(/signing-\d{4}-\d\d-\d\d\.pem\n.*csr\.pem\n[\s\S]*certs/),
    ])
    const request = rotated.out.split('\n')[1] ?? ''
    const certificate = await federation.authority.certify(readFileSync(request, 'utf8'), 'jiangyin', 'signing')
    writeFileSync(join(settings.certs, 'jiangyin-signing-next.pem'), certificate)
    const shown = JSON.parse((await xinqiao(['keys', 'show', '--json'], environment)).out)
    expect(shown.signing).toHaveLength(2)
    expect(shown.signing.filter(({ inUse }: { inUse: boolean }) => inUse)).toEqual(signing)
    expect(shown.nextKeyFrom).toEqual(expect.any(String))
    const text = await xinqiao(['keys', 'show'], environment)
    expect(text.out).toMatch(/使用中 in use[\s\S]*已公示 published|已公示 published[\s\S]*使用中 in use/)
  })

  it('ask for a new certificate of a key that stays', async () => {
    const { environment, settings } = federation.city('jiangyin')
    const key = join(settings.keys, 'transport.pem')
    const out = made('request')
    const { code } = await xinqiao(['keys', 'request', 'transport', '--key', key, '--out', out], environment)
    expect(code).toBe(0)
    const request = readFileSync(join(out, 'jiangyin-transport.csr.pem'), 'utf8')
    const pem = await federation.authority.certify(request, 'jiangyin', 'transport')
    expect(new X509Certificate(pem).checkPrivateKey(createPrivateKey(readFileSync(key)))).toBe(true)
  })
})
