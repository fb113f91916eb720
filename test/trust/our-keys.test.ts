/** With which key we sign and connect, from when on, and every reason for which a file is not our key. */
import { createPrivateKey, generateKeyPairSync, KeyObject } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Fault } from '#protocol/fault.ts'
import { types } from '#protocol/message.ts'
import { readCertificates } from '#trust/certificate.ts'
import { proves, readJws } from '#trust/jws.ts'
import { checkKeyFiles, type Keys, notePublished, readKeys } from '#trust/keys.ts'
import { type Members, readMembers } from '#trust/members.ts'
import { newKey, requestFor } from '#trust/request.ts'
import { newEncryptionKey } from '#trust/seal.ts'
import { certifiedKey } from '#trust/statement.ts'
import { type Federation, makeFederation } from '../../src/federation.ts'
import { daysFromNow, makeCrl, makeKeys, makeMember, makeRoot } from '../certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-our-keys-'))
const pristine = mkdtempSync(join(tmpdir(), 'xinqiao-our-keys-before-'))
/** Milliseconds for which the shipped rules have a new key published before it signs. */
const PUBLISHED_FOR = 3_600_000
const DAY = 86_400_000
const NOW = Date.now()
let federation: Federation

beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  cpSync(folder, pristine, { recursive: true })
})
beforeEach(() => {
  for (const each of ['certs', 'keys', 'data']) {
    rmSync(join(folder, each), { recursive: true })
    cpSync(join(pristine, each), join(folder, each), { recursive: true })
  }
})
afterAll(() => {
  for (const each of [folder, pristine]) rmSync(each, { recursive: true })
})

const keyFile = (name: string) => join(folder, 'keys', 'jiangyin', name)
const certificateFile = (name: string) => join(folder, 'certs', name)
const places = () => federation.city('jiangyin').settings
const writeKey = (name: string, pem: string) => writeFileSync(keyFile(name), pem, { mode: 0o600 })
const passphraseIn = (text: string, mode = 0o600) => {
  writeFileSync(join(folder, 'data', 'passphrase'), text, { mode })
  return join(folder, 'data', 'passphrase')
}

async function membersAt(now: number): Promise<Members> {
  const { config, certs } = federation.office
  const members = await readMembers({ config, certs }, () => now, [])
  if (members === undefined) throw new Error('no members')
  return members
}

async function read(
  now = NOW,
  { city = 'jiangyin', passphrase }: { city?: string; passphrase?: string } = {},
): Promise<{ keys: Keys | undefined; faults: readonly Fault[] }> {
  const faults: Fault[] = []
  const { keys, data } = places()
  // The roll is that of today, whatever the clock of the keys says.
  const found = await readKeys({ keys, data, passphrase }, city, await membersAt(NOW), now, faults)
  for (const { file, path, problem, remedy } of faults) {
    for (const text of [file, problem, remedy]) expect(text).not.toBe('')
    if (file !== 'environment') expect(path).toBe('')
  }
  return { keys: found, faults }
}

async function ours(now = NOW): Promise<Keys> {
  const { keys, faults } = await read(now)
  expect(faults).toEqual([])
  if (keys === undefined) throw new Error('no keys')
  return keys
}

/** What is told of the files: file and problem. */
const told = (faults: readonly Fault[]) => faults.map(({ file, problem }) => `${file}: ${problem}`)

/** One more key with its certificate, as an operator puts both in place; gives its `kid`. */
async function add(name: string, use: 'signing' | 'transport', alg?: 'Ed25519' | 'ML-DSA-65'): Promise<string> {
  const { key, certificate } = await federation.authority.issue('jiangyin', use, alg)
  writeKey(`${use}-${name}.pem`, key)
  writeFileSync(certificateFile(`jiangyin-${use}-${name}.pem`), certificate)
  return (await certifiedKey(readCertificates(certificate)))?.kid ?? ''
}

/** Trusts one more root, with its empty list. */
async function trusted() {
  const root = await makeRoot()
  appendFileSync(certificateFile('root.pem'), `\n${root.certificate}`)
  writeFileSync(join(folder, 'certs', 'crls', 'test.pem'), await makeCrl({ issuer: root }))
  return root
}

describe('our keys', () => {
  it('are those of our files with the certificates that the roll and the folder hold', async () => {
    const keys = await ours()
    const member = (await membersAt(NOW)).find('jiangyin')
    expect([...(member?.keys.keys() ?? [])]).toEqual([keys.signing.kid])
    expect(keys.transport.pem).toBe(member?.transport[0]?.pem)
    expect(keys.transport.chain.map(({ digest }) => digest)).toEqual(
      readCertificates(readFileSync(certificateFile('jiangyin-transport.pem'), 'utf8')).map(({ digest }) => digest),
    )
    const inFile = createPrivateKey(readFileSync(keyFile('transport.pem'), 'utf8'))
    expect(createPrivateKey(keys.transport.keyPem).equals(inFile)).toBe(true)
    expect([...keys.openers.keys()]).toEqual([...(member?.encryption.keys() ?? [])])
    expect(keys.described).toMatchObject({ id: 'jiangyin', endpoint: member?.endpoint, name: member?.name })
    expect(keys.described.keys.map(({ kid }) => kid)).toEqual([keys.signing.kid])
    expect(keys.described.transport).toEqual([keys.transport.chain])
    expect(keys.described.encryption.map(({ kid }) => kid)).toEqual([...keys.openers.keys()])
  })

  it('sign what they are given under their own name', async () => {
    const { signer, signing } = await ours()
    const { token, signingInput } = signer(types.query, '{"a":1}')
    const jws = readJws(token, types.query)
    expect(jws.header).toEqual({
      alg: 'ES256',
      kid: signing.kid,
      typ: types.query,
      'x5t#S256': signing.thumbprint,
    })
    expect(jws.signingInput).toBe(signingInput)
    expect(proves(jws, signing.key)).toBe(true)
  })

  it('are none where the roll does not name us, and nothing is told of files then', async () => {
    expect(await read(NOW, { city: 'atlantis' })).toEqual({ keys: undefined, faults: [] })
  })

  it('are read from `*.pem` files of their use alone', async () => {
    writeKey('signing.pem.bak', 'no key')
    writeKey('old-signing.pem', 'no key')
    writeKey('notes.txt', 'no key')
    await ours()
  })

  it('without one for encryption can be: then nothing sealed can be opened', async () => {
    rmSync(keyFile('encryption.pem'))
    const keys = await ours()
    expect([keys.openers.size, keys.described.encryption]).toEqual([0, []])
  })

  it('for encryption are all kept, the one made last first, by the day in the name of its file', async () => {
    rmSync(keyFile('encryption.pem'))
    const kids = ['2027-01-15', '2028-01-15', '2026-12-31'].map(day => {
      const { key, jwk } = newEncryptionKey('X25519')
      writeKey(`encryption-${day}.pem`, key)
      return jwk.kid
    })
    const { openers, described } = await ours()
    expect([...openers.keys()]).toEqual([kids[1], kids[0], kids[2]])
    expect(described.encryption.map(({ kid }) => kid)).toEqual([...openers.keys()])
  })
})

describe('a new signing key', () => {
  it('is published at once, and signs when it was published for as long as the rules say', async () => {
    const old = (await ours()).signing.kid
    notePublished(places().data, await ours(), NOW)
    const later = NOW + PUBLISHED_FOR + 1
    expect((await ours(later)).changesAt).toBeUndefined()
    const fresh = await add('2', 'signing')
    const first = await ours(later)
    expect([first.signing.kid, first.changesAt]).toEqual([old, later + PUBLISHED_FOR])
    expect(new Set(first.described.keys.map(({ kid }) => kid))).toEqual(new Set([old, fresh]))
    notePublished(places().data, first, later)
    const before = await ours(later + PUBLISHED_FOR - 1)
    expect([before.signing.kid, before.changesAt]).toEqual([old, later + PUBLISHED_FOR])
    const after = await ours(later + PUBLISHED_FOR)
    expect([after.signing.kid, after.changesAt]).toEqual([fresh, undefined])
    expect(new Set(after.described.keys.map(({ kid }) => kid))).toEqual(new Set([old, fresh]))
    expect(readJws(after.signer(types.query, '{}').token, types.query).header.kid).toBe(fresh)
  })

  it.each([
    ['z', 'a'],
    ['a', 'z'],
  ])('that was published last signs, whatever its file is called: %s, then %s', async (one, other) => {
    const start = NOW - 10 * PUBLISHED_FOR
    notePublished(places().data, await ours(), start)
    const second = await add(one, 'signing')
    notePublished(places().data, await ours(), start + 1000)
    const third = await add(other, 'signing')
    notePublished(places().data, await ours(), start + 2000)
    expect((await ours()).signing.kid).toBe(third)
    const change = await ours(start + 1000 + PUBLISHED_FOR)
    expect([change.signing.kid, change.changesAt]).toEqual([second, start + 2000 + PUBLISHED_FOR])
    // Of two that wait, the next change is the first one.
    const waiting = await ours(start + PUBLISHED_FOR)
    expect(waiting.changesAt).toBe(start + 1000 + PUBLISHED_FOR)
  })

  it('does not sign before its time though no key was published long enough: the roll’s own goes on', async () => {
    const old = (await ours()).signing.kid
    for (const name of ['0', '2']) await add(name, 'signing')
    expect((await ours()).signing.kid).toBe(old)
    notePublished(places().data, await ours(), NOW)
    expect((await ours()).signing.kid).toBe(old)
  })

  it('does not sign before its time, though its certificate is older than that of the key on the roll', async () => {
    const old = (await ours()).signing.kid
    const root = await trusted()
    const made = await makeMember({ city: 'jiangyin', issuer: root, notBefore: daysFromNow(-5) })
    writeKey('signing-2.pem', made.key)
    writeFileSync(certificateFile('jiangyin-signing-2.pem'), made.certificate)
    const { described, signing } = await ours()
    expect([described.keys.length, described.keys[0]?.kid, signing.kid]).toEqual([2, old, old])
  })

  it('signs at once where there is no other', async () => {
    const fresh = await add('2', 'signing')
    rmSync(keyFile('signing.pem'))
    expect((await ours()).signing.kid).toBe(fresh)
  })

  it('of an algorithm that the federation’s rules do not name never signs', async () => {
    const old = (await ours()).signing.kid
    const fresh = await add('2', 'signing', 'ML-DSA-65')
    const start = NOW - 10 * PUBLISHED_FOR
    notePublished(places().data, await ours(), start)
    expect((await ours()).signing.kid).toBe(old)
    rmSync(keyFile('signing.pem'))
    const { keys } = await read()
    expect(keys).toBeUndefined()
    expect(fresh).not.toBe('')
  })

  it('of another algorithm that the rules do name signs as the rest', async () => {
    const fresh = await add('2', 'signing', 'Ed25519')
    notePublished(places().data, await ours(), NOW - PUBLISHED_FOR)
    rmSync(keyFile('signing.pem'))
    const { signing, signer } = await ours()
    expect([signing.kid, signing.alg]).toEqual([fresh, 'Ed25519'])
    expect(proves(readJws(signer(types.query, '{}').token, types.query), signing.key)).toBe(true)
  })
})

describe('since when a key is published', () => {
  const file = () => join(places().data, 'published.json')

  it('is written once and not again', async () => {
    const keys = await ours()
    notePublished(places().data, keys, NOW)
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ [keys.signing.kid]: NOW })
    const { ino } = statSync(file())
    notePublished(places().data, keys, NOW + 1)
    expect(statSync(file()).ino).toBe(ino)
    const fresh = await add('2', 'signing')
    notePublished(places().data, await ours(), NOW + 2)
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ [keys.signing.kid]: NOW, [fresh]: NOW + 2 })
  })

  it('is written into a folder that is made for it', async () => {
    const data = join(places().data, 'new', 'folder')
    notePublished(data, await ours(), NOW)
    expect(statSync(data).mode & 0o777).toBe(0o700)
  })

  it.each([
    ['no object', '[]'],
    ['no key', '{"signing": 1}'],
    ['a key and more', `{"${'A'.repeat(44)}": 1}`],
    ['no instant', `{"${'A'.repeat(43)}": "today"}`],
    ['part of an instant', `{"${'A'.repeat(43)}": 1.5}`],
  ])('begins anew where it says %s: that stops nobody', async (_, text) => {
    writeFileSync(file(), text)
    const keys = await ours()
    expect(keys.changesAt).toBe(NOW + PUBLISHED_FOR)
    notePublished(places().data, keys, NOW)
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({ [keys.signing.kid]: NOW })
  })
})

describe('a file of keys', () => {
  it.each([0o640, 0o604, 0o620, 0o601, 0o610])(
    'that others may use (%o) is refused, and what to do is told',
    async mode => {
      chmodSync(keyFile('signing.pem'), mode)
      const { keys, faults } = await read()
      expect(keys).toBeUndefined()
      expect(faults).toContainEqual({
        file: 'signing.pem',
        path: '',
        problem: 'others may read the key',
        remedy: 'chmod 600 signing.pem',
      })
    },
  )

  it('that we alone may read is taken', async () => {
    chmodSync(keyFile('signing.pem'), 0o400)
    await ours()
  })

  it.each(['signing', 'transport'])('for %s that is missing is named', async use => {
    rmSync(keyFile(`${use}.pem`))
    const { keys, faults } = await read()
    expect([keys, told(faults)]).toEqual([undefined, [`${use}.pem: there is no such key file`]])
  })

  it('that holds no key is named, and so is one whose folder is missing', async () => {
    writeKey('transport.pem', 'no key')
    const { faults } = await read()
    expect(told(faults)[0]).toBe('transport.pem: not a PKCS #8 key in PEM')
    expect(faults[0]?.remedy).toContain('xinqiao keys new')
    rmSync(join(folder, 'keys', 'jiangyin'), { recursive: true })
    expect(told((await read()).faults)).toEqual([
      'signing.pem: there is no such key file',
      'transport.pem: there is no such key file',
      'log.pem: there is no such key file',
    ])
  })

  it('of the log has to be there, ours alone, and on Ed25519', async () => {
    chmodSync(keyFile('log.pem'), 0o640)
    expect(told((await read()).faults)).toEqual(['log.pem: others may read the key'])
    chmodSync(keyFile('log.pem'), 0o600)
    cpSync(keyFile('signing.pem'), keyFile('log.pem'))
    expect(told((await read()).faults)).toEqual(['log.pem: is not an Ed25519 key'])
    rmSync(keyFile('log.pem'))
    expect(told((await read()).faults)).toEqual(['log.pem: there is no such key file'])
  })

  it.each(['signing', 'transport'] as const)('for %s that no certificate is for is named', async use => {
    writeKey(`${use}.pem`, newKey('jiangyin', 'signing').key)
    expect(told((await read()).faults)).toEqual([`${use}.pem: no ${use} certificate of ours has this key`])
  })

  it('is held to the use of its certificate: one of the other use is none', async () => {
    renameSync(keyFile('transport.pem'), keyFile('signing-2.pem'))
    const { keys, faults } = await read()
    expect(keys).toBeUndefined()
    expect(told(faults)).toEqual(['transport.pem: there is no such key file'])
  })

  it('for encryption is the file of no other use', async () => {
    cpSync(keyFile('signing.pem'), keyFile('encryption-2.pem'))
    cpSync(keyFile('transport.pem'), keyFile('encryption-3.pem'))
    const { keys, faults } = await read()
    expect(told(faults)).toEqual([
      'encryption-3.pem: is the key of another use as well',
      'encryption-2.pem: is the key of another use as well',
    ])
    expect(keys?.openers.size).toBe(1)
  })

  it('for encryption is on one of the two curves', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    writeKey('encryption-2.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
    expect(told((await read()).faults)).toEqual(['encryption-2.pem: is not on P-256 or X25519'])
  })

  it('for connections is not the one for messages, though certificates for both uses were made', async () => {
    const { key } = newKey('jiangyin', 'signing')
    for (const use of ['signing', 'transport'] as const) {
      const request = requestFor(createPrivateKey(key), 'jiangyin', use)
      writeKey(`${use}.pem`, key)
      const certificate = await federation.authority.certify(request, 'jiangyin', use)
      writeFileSync(certificateFile(`jiangyin-${use}-2.pem`), certificate)
    }
    expect((await read()).keys).toBeUndefined()
  })

  it('for connections is not any of those for messages, the next one included', async () => {
    const { key } = newKey('jiangyin', 'signing')
    for (const use of ['signing', 'transport'] as const) {
      const request = requestFor(createPrivateKey(key), 'jiangyin', use)
      const certificate = await federation.authority.certify(request, 'jiangyin', use)
      writeFileSync(certificateFile(`jiangyin-${use}-2.pem`), certificate)
    }
    writeKey('signing-2.pem', key)
    writeKey('transport.pem', key)
    expect((await read()).keys).toBeUndefined()
  })

  it('of one use in place of the other is refused, and so is that other', async () => {
    const signing = readFileSync(keyFile('signing.pem'), 'utf8')
    renameSync(keyFile('transport.pem'), keyFile('signing.pem'))
    writeKey('transport.pem', signing)
    const { faults } = await read()
    expect(told(faults)).toEqual([
      'signing.pem: no signing certificate of ours has this key',
      'transport.pem: no transport certificate of ours has this key',
    ])
  })

  it('can be looked at alone, all uses at once', () => {
    const faults: Fault[] = []
    checkKeyFiles(places(), faults)
    expect(faults).toEqual([])
    for (const use of ['signing', 'transport', 'encryption']) writeKey(`${use}.pem`, 'no key')
    checkKeyFiles(places(), faults)
    expect(faults.map(({ file }) => file)).toEqual(['signing.pem', 'transport.pem', 'encryption.pem'])
  })
})

describe('a key that is encrypted', () => {
  const encrypt = () => {
    const key = createPrivateKey(readFileSync(keyFile('signing.pem'), 'utf8'))
    const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: '芝麻开门' } as const
    writeKey('signing.pem', key.export(options).toString())
  }

  it('opens with the first line of the passphrase’s file', async () => {
    encrypt()
    for (const text of ['芝麻开门', '芝麻开门\n', '芝麻开门\nsecond line\n']) {
      const { keys, faults } = await read(NOW, { passphrase: passphraseIn(text) })
      expect([keys?.signing.alg, faults]).toEqual(['ES256', []])
    }
  })

  it('stays closed otherwise, and why is told', async () => {
    encrypt()
    expect(told((await read()).faults)).toEqual(['signing.pem: the key is encrypted'])
    const wrong = passphraseIn('芝麻开\n')
    expect(told((await read(NOW, { passphrase: wrong })).faults)).toEqual([
      'signing.pem: the passphrase does not open the key',
    ])
    rmSync(wrong)
    const open = passphraseIn('芝麻开门\n', 0o644)
    expect(told((await read(NOW, { passphrase: open })).faults)).toEqual([
      'environment: others may read the passphrase',
      'signing.pem: the key is encrypted',
    ])
    const missing = join(folder, 'nowhere')
    const { faults } = await read(NOW, { passphrase: missing })
    expect(faults[0]).toMatchObject({
      file: 'environment',
      path: 'XINQIAO_KEYS_PASSPHRASE_FILE',
      problem: 'there is no such file',
    })
  })

  it('needs no passphrase of its own beside one that is not encrypted', async () => {
    const { keys, faults } = await read(NOW, { passphrase: passphraseIn('芝麻开门\n') })
    expect([keys?.signing.alg, faults]).toEqual(['ES256', []])
  })
})

describe('a certificate of ours', () => {
  it.each(['a', 'z'])(
    'that was made last is the one we show of two for one key, whatever its file is called (%s)',
    async name => {
      const root = await trusted()
      const keys = await makeKeys()
      const made = await Promise.all(
        [-3, -1, -2].map(days => makeMember({ city: 'jiangyin', issuer: root, keys, notBefore: daysFromNow(days) })),
      )
      for (const [i, { certificate }] of made.entries()) writeFileSync(certificateFile(`${name}${i}.pem`), certificate)
      writeKey('signing.pem', KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString())
      const { signing, described } = await ours()
      expect(signing.thumbprint).toBe(readCertificates(made[1]?.certificate ?? '')[0]?.digest)
      expect(described.keys).toHaveLength(1)
    },
  )

  it('that has ended is passed over beside one that holds', async () => {
    const root = await trusted()
    const old = await makeMember({
      city: 'jiangyin',
      issuer: root,
      notBefore: daysFromNow(-60),
      notAfter: daysFromNow(-1),
    })
    writeFileSync(certificateFile('old.pem'), old.certificate)
    writeKey('signing-2.pem', old.key)
    const before = (await ours()).signing.kid
    expect((await ours()).described.keys.map(({ kid }) => kid)).toEqual([before])
    rmSync(keyFile('signing.pem'))
    const { keys, faults } = await read()
    expect(keys).toBeUndefined()
    expect(faults).toEqual([expect.objectContaining({ file: 'certs', problem: expect.stringContaining('expired') })])
  })

  it('holds until its end and not after, and both uses are named then', async () => {
    const { keys, faults } = await read(NOW + 31 * DAY)
    expect(keys).toBeUndefined()
    expect(faults.map(({ file }) => file)).toEqual(['certs', 'certs'])
  })
})
