/** What is kept of members over a restart, what is believed of it then, and every file that is not. */
import { createPrivateKey, sign } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Fault } from '#protocol/fault.ts'
import { readCertificates, readCrls } from '#trust/certificate.ts'
import { type Keys, readKeys } from '#trust/keys.ts'
import { jsonFiles, type LiveMembers, readMembers } from '#trust/members.ts'
import { newKey } from '#trust/request.ts'
import { Bundle, certifiedKey, configurationOf, type Described, entityOf } from '#trust/statement.ts'
import { type Federation, makeFederation } from '../../src/federation.ts'
import { signRoll } from '../../src/office.ts'
import { makeCrl, makeMember, makeRoot } from '../certificates.ts'
import { claimsIn } from '../federation.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-members-'))
const pristine = mkdtempSync(join(tmpdir(), 'xinqiao-members-before-'))
const NOW = Math.floor(Date.now() / 1000) * 1000
const SECOND = NOW / 1000
let federation: Federation
let first: Bundle
let second: Bundle
/** Number 3, without Huizhou. */
let third: Bundle
/** Number 4, with Huizhou again. */
let fourth: Bundle
let huizhou: Keys

const config = join(folder, 'federation-config')
const certs = join(folder, 'certs')
const data = join(folder, 'learnt')
const learnt = (...path: string[]) => join(data, 'federation', ...path)
const bundleIn = (path: string) => Bundle.parse(JSON.parse(readFileSync(join(path, 'roll.json'), 'utf8')))

beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  first = bundleIn(config)
  await signRoll(federation.office, 20, NOW)
  second = bundleIn(config)
  const form = join(config, 'members', 'huizhou.json')
  const text = readFileSync(form)
  rmSync(form)
  await signRoll(federation.office, 20, NOW)
  third = bundleIn(config)
  writeFileSync(form, text)
  await signRoll(federation.office, 20, NOW)
  fourth = bundleIn(config)
  put(first)
  const members = await readMembers({ config, certs }, () => NOW, [])
  const keys = members && (await readKeys(federation.city('huizhou').settings, 'huizhou', members, NOW, []))
  if (keys === undefined) throw new Error('no keys')
  huizhou = keys
  cpSync(certs, pristine, { recursive: true })
})
beforeEach(() => {
  rmSync(data, { recursive: true, force: true })
  rmSync(certs, { recursive: true })
  cpSync(pristine, certs, { recursive: true })
})
afterAll(() => {
  for (const each of [folder, pristine]) rmSync(each, { recursive: true })
})

function put(bundle: unknown, path = join(config, 'roll.json')): void {
  writeFileSync(path, JSON.stringify(bundle))
}

/** Opens the members with this roll among the configuration; `keeps` unless said otherwise. */
async function look(bundle: Bundle | undefined, { keeps = true, clock = () => NOW } = {}) {
  rmSync(join(config, 'roll.json'), { force: true })
  if (bundle !== undefined) put(bundle)
  const faults: Fault[] = []
  const places = { config, certs, data, ...(keeps && ({ keeps } as const)) }
  return { members: await readMembers(places, clock, faults), faults }
}
async function open(bundle: Bundle | undefined, how: Parameters<typeof look>[1] = {}): Promise<LiveMembers> {
  const { members, faults } = await look(bundle, how)
  expect(faults).toEqual([])
  if (members === undefined) throw new Error('no members')
  return members
}

const ids = ({ all }: LiveMembers) => all.map(({ id }) => id)
const kidsOf = (members: LiveMembers, city = 'huizhou') => [...(members.find(city)?.keys.keys() ?? [])]
const says = (described: Described, roll: Bundle, at = SECOND) => configurationOf(described, roll, huizhou.signer, at)

/** A further signing key of Huizhou, certified; not yet among the public certificates. */
async function nextKey(alg?: 'ML-DSA-65') {
  const { certificate } = await federation.authority.issue('huizhou', 'signing', alg)
  const key = await certifiedKey(readCertificates(certificate))
  if (key === undefined) throw new Error('no key')
  return key
}

describe('a roll that was taken', () => {
  it('is kept for the next start, whole, and read by nobody else; without leave nothing is written', async () => {
    const passing = await open(first, { keeps: false })
    expect(await passing.take(second, NOW)).toBe('taken')
    expect(existsSync(data)).toBe(false)
    const members = await open(first)
    expect(await members.take(second, NOW)).toBe('taken')
    expect(readdirSync(learnt()).sort()).toEqual(['roll.json'])
    expect(bundleIn(learnt())).toEqual(second)
    expect(statSync(learnt('roll.json')).mode & 0o777).toBe(0o600)
    expect(statSync(learnt()).mode & 0o777).toBe(0o700)
    expect((await open(first)).roll.number).toBe(2)
    // Who does not keep still reads what was kept.
    expect((await open(first, { keeps: false })).roll.number).toBe(2)
  })

  it('gives way to a newer one that the operator puts there', async () => {
    await (await open(first)).take(second, NOW)
    expect((await open(third)).roll.number).toBe(3)
    expect(bundleIn(learnt()).roll).toBe(third.roll)
  })

  it('counts alone where the configuration has none', async () => {
    await (await open(second)).take(third, NOW)
    expect((await open(undefined)).roll.number).toBe(3)
  })

  it('is the same one under another signature of the same key', async () => {
    const members = await open(second)
    const input = second.roll.split('.').slice(0, 2).join('.')
    const key = createPrivateKey(readFileSync(join(federation.office.keys, 'office.pem'), 'utf8'))
    const again = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    const twin = { ...second, roll: `${input}.${again}` }
    expect(twin.roll).not.toBe(second.roll)
    expect(await members.take(twin, NOW)).toBe('known')
    expect(members.roll.bundle.roll).toBe(second.roll)
  })

  it('that does not hold leaves the one before it in force', async () => {
    const members = await open(first)
    await expect(members.take(second, NOW + 31 * 86_400_000)).rejects.toThrow('token.')
    expect(members.roll.number).toBe(1)
  })
})

describe('what is wrong with the files', () => {
  it('is told: no roll at all', async () => {
    const { members, faults } = await look(undefined)
    expect(members).toBeUndefined()
    expect(faults).toEqual([
      {
        file: 'roll.json',
        path: '',
        problem: 'there is no roll of members',
        remedy: expect.stringContaining('xinqiao office sign'),
      },
    ])
  })

  it('is told: a roll that is none, and one that says more than it may', async () => {
    for (const wrong of [{}, { ...first, more: 1 }, { roll: first.roll }]) {
      rmSync(join(config, 'roll.json'), { force: true })
      put(wrong)
      const faults: Fault[] = []
      expect(await readMembers({ config, certs }, () => NOW, faults)).toBeUndefined()
      expect(faults.length).toBeGreaterThan(0)
      for (const { file, problem } of faults) {
        expect(file).toBe('roll.json')
        expect(problem).not.toContain('there is no roll')
      }
    }
  })

  it('is told: a roll that is not believed, once, and why', async () => {
    for (const roll of ['a.b.c', first.roll.replace(/.{20}$/, 'A'.repeat(20))]) {
      const { members, faults } = await look({ ...first, roll })
      expect(members).toBeUndefined()
      expect(faults).toEqual([
        {
          file: 'roll.json',
          path: '',
          problem: expect.stringMatching(/^not believed: (form|token)\./),
          remedy: expect.stringContaining('newest roll'),
        },
      ])
    }
  })

  it('does not matter in an older roll, and what was kept before is not gone back to', async () => {
    await (await open(first)).take(third, NOW)
    // A newer one in the configuration that is not believed: nothing older counts in its place.
    const bad = { ...fourth, roll: fourth.roll.replace(/.{20}$/, 'A'.repeat(20)) }
    const { members, faults } = await look(bad)
    expect(members).toBeUndefined()
    expect(faults).toHaveLength(1)
    // One whose number cannot even be read is older than any.
    expect((await open({ ...first, roll: 'a.b.c' })).roll.number).toBe(3)
  })

  it('is told of the root, and of each revocation list', async () => {
    writeFileSync(join(certs, 'crls', 'a.pem'), 'no list')
    writeFileSync(join(certs, 'crls', 'b.pem'), readFileSync(join(certs, 'root.pem')))
    const { members, faults } = await look(first, { keeps: false })
    expect(members?.roll.number).toBe(1)
    expect(faults.map(({ file }) => file)).toEqual(['certs/crls/a.pem', 'certs/crls/b.pem'])
    for (const { path, problem, remedy } of faults) {
      expect([path, problem]).toEqual(['', expect.stringContaining('not a PEM revocation list')])
      expect(remedy).toBe('fetch it anew')
    }
    for (const name of ['a.pem', 'b.pem']) rmSync(join(certs, 'crls', name))
    writeFileSync(join(certs, 'root.pem'), 'no root')
    const { faults: rootless } = await look(first)
    expect(rootless.map(({ file, path, problem }) => [file, path, problem])).toEqual([
      ['certs/root.pem', '', expect.stringContaining('not PEM certificates')],
      ['roll.json', '', expect.stringContaining('not believed')],
    ])
    expect(rootless[0]?.remedy).toBe('fetch it anew')
    rmSync(join(certs, 'root.pem'))
    expect((await look(first)).faults.map(({ file, problem, remedy }) => [file, problem, remedy])).toEqual([
      ['certs/root.pem', 'the federation root is missing', expect.stringContaining('telephone')],
      ['roll.json', expect.stringContaining('not believed'), expect.any(String)],
    ])
    rmSync(join(certs, 'crls'), { recursive: true })
    cpSync(join(pristine, 'root.pem'), join(certs, 'root.pem'))
    expect((await look(first)).faults.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('revocation.missing'),
    ])
  })

  it('is passed over where it is what we wrote ourselves, and told where it is what the operator put there', async () => {
    await (await open(first)).take(second, NOW)
    for (const text of ['{', '{"roll": 1}']) {
      writeFileSync(learnt('roll.json'), text)
      expect((await open(first)).roll.number).toBe(1)
      writeFileSync(learnt('roll.json'), JSON.stringify(second))
      writeFileSync(join(config, 'roll.json'), text)
      const faults: Fault[] = []
      const members = await readMembers({ config, certs, data }, () => NOW, faults)
      expect([members?.roll.number, new Set(faults.map(({ file }) => file))]).toEqual([2, new Set(['roll.json'])])
    }
  })

  it('is passed over where it is no PEM file, though a certificate is in it', async () => {
    cpSync(join(certs, 'huizhou-signing.pem'), join(certs, 'huizhou-signing.txt'))
    rmSync(join(certs, 'huizhou-signing.pem'))
    expect((await open(first)).chainsOf(entityOf('huizhou'))).toHaveLength(1)
  })

  it('is passed over where it is a public certificate that nobody can read', async () => {
    writeFileSync(join(certs, 'notes.pem'), 'no certificate')
    writeFileSync(join(certs, 'readme.txt'), 'no certificate')
    expect(ids(await open(first))).toEqual(['huizhou', 'jiangyin'])
  })
})

describe('what a city said of itself', () => {
  it('is kept for the next start, and an older word, or the same one, changes nothing', async () => {
    const next = await nextKey()
    const both = { ...huizhou.described, keys: [...huizhou.described.keys, next] }
    const members = await open(second)
    expect(await members.learn('huizhou', says(both, second, SECOND - 10), NOW)).toBe('taken')
    expect(kidsOf(members)).toEqual([huizhou.signing.kid, next.kid])
    expect(claimsIn(readFileSync(learnt('huizhou.jwt'), 'utf8'))['iat']).toBe(SECOND - 10)
    expect(await members.learn('huizhou', says(huizhou.described, second, SECOND - 10), NOW)).toBe('known')
    expect(await members.learn('huizhou', says(huizhou.described, second, SECOND - 11), NOW)).toBe('known')
    expect(kidsOf(members)).toEqual([huizhou.signing.kid, next.kid])
    expect(kidsOf(await open(second))).toEqual([huizhou.signing.kid, next.kid])
    expect(await members.learn('huizhou', says(huizhou.described, second, SECOND - 9), NOW)).toBe('taken')
    expect(kidsOf(members)).toEqual([huizhou.signing.kid])
    expect(await members.learn('huizhou', says(huizhou.described, second, SECOND - 8), NOW)).toBe('known')
  })

  it('is not written by who does not keep', async () => {
    const members = await open(second, { keeps: false })
    const both = { ...huizhou.described, keys: [...huizhou.described.keys, await nextKey()] }
    expect(await members.learn('huizhou', says(both, second), NOW)).toBe('taken')
    expect(existsSync(data)).toBe(false)
  })

  it('goes on at a later start, until the city says something newer; what cannot be read is passed over', async () => {
    const next = await nextKey()
    const members = await open(second)
    await members.learn('huizhou', says({ ...huizhou.described, keys: [...huizhou.described.keys, next] }, second), NOW)
    const tomorrow = await open(second, { clock: () => NOW + 2 * 86_400_000 })
    expect(kidsOf(tomorrow)).toEqual([huizhou.signing.kid, next.kid])
    writeFileSync(learnt('huizhou.jwt'), 'nothing')
    expect(kidsOf(await open(second))).toEqual([huizhou.signing.kid])
  })

  it('is not taken when it has ended by then, however new it is to us', async () => {
    const members = await open(second)
    const old = says(huizhou.described, second, SECOND - 2 * 86_400)
    await expect(members.learn('huizhou', old, NOW)).rejects.toThrow('token.expired')
  })

  it('may leave out the roll, and is about its own city alone', async () => {
    const members = await open(second)
    const before = members.find('huizhou')
    const own = await readKeys(federation.city('jiangyin').settings, 'jiangyin', members, NOW, [])
    if (own === undefined) throw new Error('no keys')
    const { certificate } = await federation.authority.issue('jiangyin', 'signing')
    const next = await certifiedKey(readCertificates(certificate))
    if (next === undefined) throw new Error('no key')
    const both = { ...own.described, keys: [...own.described.keys, next] }
    const said = configurationOf(both, undefined, own.signer, SECOND)
    expect(await members.learn('jiangyin', said, NOW)).toBe('taken')
    expect(kidsOf(members, 'jiangyin')).toEqual([own.signing.kid, next.kid])
    expect(members.find('jiangyin')?.endpoint).toBe(own.described.endpoint)
    expect(members.find('huizhou')).toBe(before)
    expect(ids(members)).toEqual(['huizhou', 'jiangyin'])
  })

  it('is taken as news where it brings a newer roll, though it was known itself', async () => {
    const members = await open(first)
    const said = says(huizhou.described, first)
    expect(await members.learn('huizhou', said, NOW)).toBe('known')
    expect(await members.learn('huizhou', says(huizhou.described, second), NOW)).toBe('taken')
    expect(members.roll.number).toBe(2)
    expect(await members.learn('huizhou', says(huizhou.described, fourth, SECOND + 1), NOW)).toBe('taken')
    expect(members.roll.number).toBe(4)
  })

  it('is forgotten when the city leaves: when it comes back, the office’s word counts', async () => {
    const next = await nextKey()
    const members = await open(second)
    await members.learn('huizhou', says({ ...huizhou.described, keys: [...huizhou.described.keys, next] }, second), NOW)
    await members.take(third, NOW)
    expect(ids(members)).toEqual(['jiangyin'])
    await expect(members.learn('huizhou', says(huizhou.described, third, SECOND + 1), NOW)).rejects.toThrow(
      'token.issuer',
    )
    await members.take(fourth, NOW)
    expect(kidsOf(members)).toEqual([huizhou.signing.kid])
  })

  it('stays when a newer roll still names the city', async () => {
    const next = await nextKey()
    const members = await open(first)
    await members.learn('huizhou', says({ ...huizhou.described, keys: [...huizhou.described.keys, next] }, first), NOW)
    await members.take(second, NOW)
    expect(kidsOf(members)).toEqual([huizhou.signing.kid, next.kid])
  })

  it('of a key in an algorithm that the rules do not name is not taken, and of the others is', async () => {
    const next = await nextKey('ML-DSA-65')
    const members = await open(second)
    await members.learn('huizhou', says({ ...huizhou.described, keys: [...huizhou.described.keys, next] }, second), NOW)
    expect(kidsOf(members)).toEqual([huizhou.signing.kid])
  })

  it('of an encryption key that signs as well is not taken', async () => {
    const members = await open(second)
    const [own] = huizhou.described.encryption
    const { kty = '', crv = '', x = '', y = '' } = huizhou.signing.key.export({ format: 'jwk' })
    const asEncryption = { kty, crv, x, y, kid: huizhou.signing.kid, use: 'enc', alg: 'ECDH-ES' }
    if (own === undefined) throw new Error('no encryption key')
    await members.learn('huizhou', says({ ...huizhou.described, encryption: [asEncryption, own] }, second), NOW)
    expect([...(members.find('huizhou')?.encryption.keys() ?? [])]).toEqual([own['kid']])
  })
})

describe('a member', () => {
  it('is found while the roll holds, with its certificates as PEM and as read', async () => {
    let clock = NOW
    const members = await open(second, { clock: () => clock })
    const [transport] = members.find('huizhou')?.transport ?? []
    expect(readCertificates(transport?.pem ?? '').map(({ digest }) => digest)).toEqual(
      transport?.chain.map(({ digest }) => digest),
    )
    expect(members.find('atlantis')).toBeUndefined()
    clock = members.roll.until - 1
    expect(members.find('huizhou')?.id).toBe('huizhou')
    clock = members.roll.until
    expect(members.find('huizhou')).toBeUndefined()
  })

  it('has its chains among the public certificates, by the name in the first certificate', async () => {
    const members = await open(second)
    const chains = members.chainsOf(entityOf('huizhou'))
    expect(chains).toHaveLength(2)
    for (const [leaf] of chains) expect(leaf?.subject.text).toMatch(/^CN=huizhou (signing|transport)$/)
    expect(members.chainsOf(entityOf('atlantis'))).toEqual([])
    expect(members.chainsOf('huizhou')).toEqual([])
  })
})

describe('a former key', () => {
  it('is known of the public certificates, and of all that was ever published to us and certified', async () => {
    const next = await nextKey()
    const members = await open(second)
    expect(members.former(huizhou.signing.thumbprint)?.kid).toBe(huizhou.signing.kid)
    expect(members.former(next.thumbprint)).toBeUndefined()
    await members.learn(
      'huizhou',
      says({ ...huizhou.described, keys: [...huizhou.described.keys, next] }, second, SECOND - 2),
      NOW,
    )
    expect(members.former(next.thumbprint)?.thumbprint).toBe(next.thumbprint)
    await members.learn('huizhou', says(huizhou.described, second, SECOND - 1), NOW)
    expect(kidsOf(members)).toEqual([huizhou.signing.kid])
    expect(members.former(next.thumbprint)?.kid).toBe(next.kid)
    expect(readdirSync(learnt('keys'))).toContain(`${next.thumbprint}.pem`)
    expect((await open(second)).former(next.thumbprint)?.thumbprint).toBe(next.thumbprint)
    rmSync(data, { recursive: true })
    expect((await open(second)).former(next.thumbprint)).toBeUndefined()
  })

  it('is not one that nobody certified, whoever publishes it', async () => {
    const root = await makeRoot()
    const made = await makeMember({ city: 'huizhou', issuer: root })
    const key = await certifiedKey(readCertificates(made.certificate))
    if (key === undefined) throw new Error('no key')
    const members = await open(second)
    await members.learn('huizhou', says({ ...huizhou.described, keys: [...huizhou.described.keys, key] }, second), NOW)
    expect(members.former(key.thumbprint)).toBeUndefined()
    expect(existsSync(learnt('keys', `${key.thumbprint}.pem`))).toBe(false)
  })

  it('is not one that was certified for another city', async () => {
    const { certificate } = await federation.authority.issue('jiangyin', 'signing')
    const key = await certifiedKey(readCertificates(certificate))
    if (key === undefined) throw new Error('no key')
    const members = await open(second)
    await members.learn('huizhou', says({ ...huizhou.described, keys: [...huizhou.described.keys, key] }, second), NOW)
    expect(members.former(key.thumbprint)).toBeUndefined()
  })

  it('is not looked for in the name of a file: what is read is what counts', async () => {
    await open(second)
    mkdirSync(learnt('keys'), { recursive: true })
    const { key } = newKey('huizhou', 'signing')
    writeFileSync(learnt('keys', `${'A'.repeat(43)}.pem`), key)
    expect((await open(second)).former('A'.repeat(43))).toBeUndefined()
  })
})

describe('a revocation list that was proved', () => {
  const numbers = (members: LiveMembers) => members.anchors.crls.list().map(({ number }) => Number(number))

  it('is kept for the next start by who keeps, and an older one that lies there then is passed over', async () => {
    const { name, pem } = await federation.authority.revoke([])
    writeFileSync(join(certs, 'crls', name), pem)
    const members = await open(first)
    expect(numbers(members).sort()).toEqual([1, 2])
    members.keepLists()
    expect(readdirSync(learnt('crls'))).toHaveLength(2)
    cpSync(join(pristine, 'crls'), join(certs, 'crls'), { recursive: true })
    const again = await open(first)
    const issuing = again.anchors.crls.proven().map(({ number }) => Number(number))
    expect(issuing.sort()).toEqual([1, 2])
    // Kept lists are found though the folder has none at all.
    rmSync(join(certs, 'crls'), { recursive: true })
    expect((await open(first)).roll.number).toBe(1)
  })

  it('is not kept by who does not keep, nor is one that nobody proved', async () => {
    const stranger = await makeCrl({ issuer: await makeRoot() })
    writeFileSync(join(certs, 'crls', 'stranger.pem'), stranger)
    const passing = await open(first, { keeps: false })
    passing.keepLists()
    expect(existsSync(data)).toBe(false)
    const members = await open(first)
    members.keepLists()
    expect(readdirSync(learnt('crls'))).toHaveLength(2)
  })
})

describe('a roll whose office was revoked', () => {
  /** The office of the federation with a certificate of its own, and the roll that it signed last. */
  async function revokeOffice() {
    const { name, pem } = await federation.authority.revoke([readFileSync(join(certs, 'federation.pem'), 'utf8')])
    writeFileSync(join(certs, 'crls', name), pem)
  }

  it('binds nobody at a start, and that is told', async () => {
    await revokeOffice()
    const { members, faults } = await look(second)
    expect(members).toBeUndefined()
    expect(faults.map(({ file, problem }) => [file, problem])).toEqual([
      ['roll.json', 'the office that signed it was revoked'],
    ])
  })

  it('gives way to one that the next office signed, though that has a lower number', async () => {
    const members = await open(fourth)
    const { certificate, key } = await federation.authority.issue('federation', 'statements')
    const aside = join(folder, 'next-office')
    cpSync(config, aside, { recursive: true })
    rmSync(join(aside, 'roll.json'))
    const keys = join(aside, 'keys')
    mkdirSync(keys)
    writeFileSync(join(keys, 'office.pem'), key, { mode: 0o600 })
    writeFileSync(join(certs, 'federation.pem'), certificate)
    await signRoll({ config: aside, certs, keys }, 20, NOW)
    const next = bundleIn(aside)
    // While the first office holds, its higher number does as well.
    expect(await members.take(next, NOW)).toBe('older')
    cpSync(join(pristine, 'federation.pem'), join(certs, 'federation.pem'))
    await revokeOffice()
    for (const crl of readCrls(readFileSync(join(certs, 'crls', 'issuing.pem'), 'utf8'))) members.anchors.crls.add(crl)
    expect(await members.take(next, NOW)).toBe('taken')
    expect(members.roll.number).toBe(1)
    await expect(members.take(second, NOW)).rejects.toThrow('revocation.revoked')
    // At the next start both lie there; what the revoked office signed is passed over.
    expect((await open(fourth)).roll.bundle.roll).toBe(next.roll)
  })
})

describe('the grace of a revocation list', () => {
  it('is that of the roll in force', async () => {
    const members = await open(first)
    expect(members.anchors.grace()).toBe(0)
    const rules = join(config, 'rules.json')
    const text = readFileSync(rules, 'utf8')
    try {
      put(fourth)
      writeFileSync(rules, text.replace('"crlGraceSeconds": 0', '"crlGraceSeconds": 90'))
      await signRoll(federation.office, 20, NOW)
      const fifth = bundleIn(config)
      expect(await members.take(fifth, NOW)).toBe('taken')
      expect(members.anchors.grace()).toBe(90_000)
    } finally {
      writeFileSync(rules, text)
    }
  })
})

describe('the JSON files of a folder', () => {
  it('are its own, in order, and none where there is no folder', () => {
    const place = join(folder, 'json')
    expect(jsonFiles(place)).toEqual([])
    mkdirSync(place)
    for (const name of ['b.json', 'a.json', 'c.jsonl', 'd.txt', 'e.json.new']) writeFileSync(join(place, name), '{}')
    expect(jsonFiles(place)).toEqual(['a.json', 'b.json'])
  })
})

describe('a revocation list', () => {
  it('that is older than one already proven changes nothing', async () => {
    const { anchors } = await open(first)
    const held = () => anchors.crls.list().map(({ number }) => Number(number))
    expect(held()).toEqual([1, 1])
    const root = await makeRoot()
    writeFileSync(join(certs, 'crls', 'stranger.pem'), await makeCrl({ issuer: root, number: 9 }))
    expect((await open(first)).anchors.crls.list()).toHaveLength(3)
  })
})
