/** A list of revoked certificates says exactly what its bytes say; of several, the newest that the issuer's key signed counts. */
import 'reflect-metadata'
import { generateKeyPairSync, sign } from 'node:crypto'
import { AuthorityKeyIdentifierExtension, Extension, PemConverter } from '@peculiar/x509'
import { beforeAll, describe, expect, it } from 'vitest'
import { type CrlStore, crlStore, readCertificate, readCrls } from '#trust/certificate.ts'
import { elementsOf, Malformed, onlyElement, SEQUENCE } from '#trust/der.ts'
import { revocationOf } from '#trust/revocation.ts'
import { isSignedBy } from '#trust/x509.ts'
import {
  type CrlOptions,
  daysFromNow,
  element,
  type Made,
  makeCrl,
  makeIssuer,
  makeLeaf,
  makeRoot,
} from '../certificates.ts'

const at = new Date()
let root: Made
let issuer: Made
/** Another key under the same name. */
let twin: Made
let leaf: Made
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  twin = await makeIssuer({ issuer: root })
  leaf = await makeLeaf({ issuer })
})

const read = ({ certificate }: Made) => readCertificate(certificate)
const one = async (options: CrlOptions) => {
  const [crl] = readCrls(await makeCrl(options))
  if (crl === undefined) throw new RangeError('no list')
  return crl
}

/** A list with the fields of its signed part changed: version, algorithm, issuer, two times, entries if any, extensions. */
async function changed(
  options: Partial<CrlOptions>,
  change: (fields: readonly Uint8Array[]) => readonly Uint8Array[],
): Promise<string> {
  const pem = await makeCrl({ issuer, ...options })
  const [der] = PemConverter.decode(pem)
  const [tbs, ...rest] = elementsOf(onlyElement(new Uint8Array(der ?? []), SEQUENCE).content)
  if (tbs === undefined) throw new RangeError('no list')
  const fields = change(elementsOf(tbs.content).map(({ whole }) => whole))
  const whole = element(SEQUENCE, element(SEQUENCE, ...fields), ...rest.map(each => each.whole))
  return PemConverter.encode(whole, 'X509 CRL')
}

describe('a list', () => {
  it('is read as it was written', async () => {
    expect(readCrls(await changed({ revoked: [leaf] }, fields => fields))[0]?.revoked).toEqual(new Set([leaf.serial]))
  })

  it.each<[string, (fields: readonly Uint8Array[]) => readonly Uint8Array[]]>([
    ['of version 1, which says it', fields => fields.with(0, element(2, Buffer.of(0)))],
    ['of version 1, which leaves it out', fields => fields.slice(1)],
    ['of version 3', fields => fields.with(0, element(2, Buffer.of(2)))],
    ['with a field behind its last', fields => [...fields, element(0xa1, element(SEQUENCE))]],
    ['with no entry where there should be some', fields => fields.with(5, element(SEQUENCE))],
    [
      'with an entry of four fields',
      fields => {
        const [entry] = elementsOf(onlyElement(fields[5] ?? new Uint8Array(), SEQUENCE).content)
        const parts = elementsOf(entry?.content ?? new Uint8Array()).map(({ whole }) => whole)
        const longer = element(SEQUENCE, ...parts.slice(0, 2), element(SEQUENCE), element(5))
        return fields.with(5, element(SEQUENCE, longer))
      },
    ],
  ])('%s is refused', async (_, change) => {
    const pem = await changed({ revoked: [leaf] }, change)
    expect(() => readCrls(pem)).toThrow(Malformed)
  })

  it('has nothing behind its signature, and nothing behind the value of an extension', async () => {
    const pem = await makeCrl({ issuer })
    const [der] = PemConverter.decode(pem)
    const parts = elementsOf(onlyElement(new Uint8Array(der ?? []), SEQUENCE).content).map(({ whole }) => whole)
    const longer = PemConverter.encode(element(SEQUENCE, ...parts, element(5)), 'X509 CRL')
    expect(() => readCrls(longer)).toThrow(Malformed)
    const extended = await changed({}, fields => {
      const [list] = elementsOf(onlyElement(fields.at(-1) ?? new Uint8Array(), 0xa0).content)
      const extensions = elementsOf(list?.content ?? new Uint8Array()).map(({ whole }) => whole)
      const last = elementsOf(onlyElement(extensions.at(-1) ?? new Uint8Array(), SEQUENCE).content)
      const four = element(SEQUENCE, ...last.map(({ whole }) => whole), element(5))
      return fields.with(-1, element(0xa0, element(SEQUENCE, ...extensions.slice(0, -1), four)))
    })
    expect(() => readCrls(extended)).toThrow(Malformed)
  })

  it('that is only about some certificates is refused, critical or not', async () => {
    for (const critical of [true, false]) {
      for (const id of ['2.5.29.27', '2.5.29.28']) {
        const pem = await makeCrl({ issuer, more: [new Extension(id, critical, element(SEQUENCE))] })
        expect(() => readCrls(pem)).toThrow(Malformed)
      }
    }
  })

  it('has a number of at most twenty octets', async () => {
    const most = (1n << 159n) - 1n
    expect((await one({ issuer, number: most })).number).toBe(most)
    const tooLong = await makeCrl({ issuer, number: 1n << 159n })
    expect(() => readCrls(tooLong)).toThrow(Malformed)
  })

  it('may say of an entry what is not its reason, whatever that looks like', async () => {
    const entryWith = (id: Uint8Array, value: Uint8Array) =>
      changed({ revoked: [leaf] }, fields => {
        const [entry] = elementsOf(onlyElement(fields[5] ?? new Uint8Array(), SEQUENCE).content)
        const parts = elementsOf(entry?.content ?? new Uint8Array()).map(({ whole }) => whole)
        const extension = element(SEQUENCE, id, element(4, value))
        return fields.with(5, element(SEQUENCE, element(SEQUENCE, ...parts.slice(0, 2), element(SEQUENCE, extension))))
      })
    const reason = element(6, Buffer.from('551d15', 'hex'))
    const other = element(6, Buffer.from('2a0304', 'hex'))
    const eight = element(10, Buffer.of(8))
    expect(readCrls(await entryWith(other, eight))[0]?.revoked.size).toBe(1)
    expect(readCrls(await entryWith(reason, element(10, Buffer.of(1))))[0]?.revoked.size).toBe(1)
    const removed = await entryWith(reason, eight)
    expect(() => readCrls(removed)).toThrow(Malformed)
  })

  it('may be entries without extensions, or none at all', async () => {
    const bare = await changed({ revoked: [leaf] }, fields => {
      const [entry] = elementsOf(onlyElement(fields[5] ?? new Uint8Array(), SEQUENCE).content)
      const parts = elementsOf(entry?.content ?? new Uint8Array()).map(({ whole }) => whole)
      return fields.with(5, element(SEQUENCE, element(SEQUENCE, ...parts.slice(0, 2))))
    })
    expect(readCrls(bare)[0]?.revoked).toEqual(new Set([leaf.serial]))
    expect((await one({ issuer })).revoked.size).toBe(0)
  })
})

describe('the signature of a list', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const tbs = Buffer.from('what is signed')
  const signature = sign('sha256', tbs, privateKey)
  const [ecdsa, rsa, sha1] = ['300a06082a8648ce3d040302', '300d06092a864886f70d01010b0500', '300906072a8648ce3d0401']
  const isGood = (inner: string, outer: string, key: typeof publicKey | undefined = publicKey) =>
    isSignedBy({ tbs, signature, algorithm: { inner, outer } }, key)

  it('is by a key, in one algorithm that is known here, named twice alike, and of the kind of the key', () => {
    expect(isGood(ecdsa, ecdsa)).toBe(true)
    expect(isGood(rsa, ecdsa)).toBe(false)
    expect(isGood(ecdsa, rsa)).toBe(false)
    expect(isGood(rsa, rsa)).toBe(false)
    expect(isGood(sha1, sha1)).toBe(false)
    expect(isGood('', '')).toBe(false)
    expect(isSignedBy({ tbs, signature, algorithm: { inner: ecdsa, outer: ecdsa } }, undefined)).toBe(false)
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(isGood(ecdsa, ecdsa, other.publicKey)).toBe(false)
  })
})

describe('of several lists', () => {
  const store = (): CrlStore => crlStore()
  /** Signed by another, and said to be by the issuer's key. */
  const forged = async (number: number, over: Partial<CrlOptions> = {}) =>
    one({
      issuer,
      signer: twin,
      number,
      extensions: { authorityKeyIdentifier: await AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey) },
      ...over,
    })
  const numberNow = (lists: CrlStore, of = issuer) => lists.current(read(of))?.number

  it('one that nobody proved stands in the way of no other, whatever its number and whatever key it names', async () => {
    const lists = store()
    expect(lists.add(await forged(99))).toBe('added')
    expect(lists.add(await one({ issuer, number: 1 }))).toBe('added')
    expect(lists.add(await forged(1, { revoked: [leaf] }))).toBe('added')
    expect(numberNow(lists)).toBe(1n)
    expect(lists.add(await one({ issuer, number: 2 }))).toBe('added')
    expect(numberNow(lists)).toBe(2n)
  })

  it('those of another key of the same name have numbers of their own', async () => {
    const lists = store()
    lists.add(await one({ issuer, number: 9 }))
    expect(numberNow(lists)).toBe(9n)
    expect(lists.add(await one({ issuer: twin, number: 3 }))).toBe('added')
    expect([numberNow(lists), numberNow(lists, twin)]).toEqual([9n, 3n])
    expect(lists.add(await one({ issuer, number: 8 }))).toBe('older')
    expect(lists.add(await one({ issuer: twin, number: 8 }))).toBe('added')
  })

  it('of one number, before any was proved, the one made last counts, whatever the order', async () => {
    const [early, late] = await Promise.all([
      one({ issuer, number: 5, thisUpdate: daysFromNow(-0.4) }),
      one({ issuer, number: 5, thisUpdate: daysFromNow(-0.1), revoked: [leaf] }),
    ])
    for (const order of [
      [early, late],
      [late, early],
    ]) {
      const lists = store()
      for (const each of order) expect(lists.add(each)).toBe('added')
      expect(lists.current(read(issuer))?.thisUpdate).toEqual(late.thisUpdate)
    }
  })

  it('the newest is not pushed out by however many older ones that nobody signed', async () => {
    const lists = store()
    for (let number = 1; number <= 20; number++) lists.add(await forged(number))
    expect(lists.list()).toHaveLength(16)
    expect(lists.add(await one({ issuer, number: 30 }))).toBe('added')
    expect(numberNow(lists)).toBe(30n)
  })

  it('those that a key proved are told apart from the rest, and only the newest of each key is kept', async () => {
    const lists = store()
    for (const each of [
      await forged(9, { signer: root }),
      await one({ issuer, number: 1 }),
      await one({ issuer: twin, number: 4 }),
    ]) {
      lists.add(each)
    }
    expect(lists.proven()).toEqual([])
    for (const each of [issuer, twin]) lists.current(read(each))
    expect(
      lists
        .proven()
        .map(({ number }) => Number(number))
        .sort(),
    ).toEqual([1, 4])
    lists.add(await one({ issuer, number: 2 }))
    lists.current(read(issuer))
    const [newest] = lists.proven().filter(({ number }) => number === 2n)
    expect(readCrls(PemConverter.encode(new Uint8Array(newest?.der ?? []), 'X509 CRL'))[0]?.digest).toBe(newest?.digest)
  })

  it('each that is taken changes the revision, and one that is known does not', async () => {
    const lists = store()
    const list = await one({ issuer })
    const revisions = [lists.revision]
    for (const each of [list, await one({ issuer: twin })]) {
      lists.add(each)
      revisions.push(lists.revision)
    }
    expect(new Set(revisions).size).toBe(3)
    expect(lists.add(list)).toBe('known')
    expect(lists.revision).toBe(revisions[2])
    expect(store().revision).not.toBe(store().revision)
  })

  it('where there is none, nothing is cleared', () => {
    const asked = { crls: undefined, at, grace: 0 }
    expect(revocationOf(read(leaf), read(issuer), asked)).toMatchObject({ reason: 'revocation.missing' })
    expect(revocationOf(read(leaf), read(issuer), { ...asked, crls: store() })).toMatchObject({
      reason: 'revocation.missing',
    })
  })
})
