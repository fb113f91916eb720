/** A proof is remembered for exactly as long as it holds, and a connection is of the city whose certificate stands first in what it shows. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fault } from '#protocol/fault.ts'
import {
  type Anchors,
  proveFormerKey,
  proveKey,
  provePath,
  provePeer,
  readAnchors,
  type Shown,
} from '#trust/anchors.ts'
import { type Certificate, readCertificate, readCrls, SIGNING, TRANSPORT } from '#trust/certificate.ts'
import { certifiedKey } from '#trust/statement.ts'
import { daysFromNow, type Made, makeCrl, makeIssuer, makeLeaf, makeMember, makeRoot } from '../certificates.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-anchors-'))
const NOW = Date.now()
const [BEGIN, END] = [daysFromNow(-0.2), daysFromNow(3)]
let root: Made
let issuer: Made
let tls: Made
beforeAll(async () => {
  root = await makeRoot()
  issuer = await makeIssuer({ issuer: root })
  tls = await makeMember({ city: 'hangzhou', kind: 'tls', issuer })
  mkdirSync(join(folder, 'crls'))
  writeFileSync(join(folder, 'root.pem'), root.certificate)
  for (const [name, each] of [
    ['root.pem', root],
    ['issuer.pem', issuer],
  ] as const) {
    writeFileSync(join(folder, 'crls', name), await makeCrl({ issuer: each, thisUpdate: BEGIN, nextUpdate: END }))
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The anchors as one gateway reads them, with a count of the paths that were looked for. */
function anchorsOf(grace = 0): Anchors & { readonly looked: () => number } {
  const faults: Fault[] = []
  const anchors = readAnchors(folder, faults, () => grace)
  expect(faults).toEqual([])
  let looked = 0
  return {
    ...anchors,
    validate: input => {
      looked++
      return anchors.validate(input)
    },
    looked: () => looked,
  }
}

async function keyOf(made: Made) {
  const key = await certifiedKey([made, issuer].map(({ certificate }) => readCertificate(certificate)))
  if (key === undefined) throw new Error('no key')
  return key
}

const read = ({ certificate }: Made): Certificate => readCertificate(certificate)

describe('the proof of a key', () => {
  it('is remembered from the instant it begins until the one it ends, both told in milliseconds', async () => {
    const key = await keyOf(await makeMember({ city: 'hangzhou', issuer }))
    const anchors = anchorsOf()
    expect(proveKey('hangzhou', key, anchors, NOW)).toBe(+END)
    expect(anchors.looked()).toBe(1)
    for (const at of [+BEGIN, NOW, +END - 1]) expect(proveKey('hangzhou', key, anchors, at)).toBe(+END)
    expect(anchors.looked()).toBe(1)
    // At its very end it is looked at again, and still holds: both ends are included.
    expect(proveKey('hangzhou', key, anchors, +END)).toBe(+END)
    expect(anchors.looked()).toBe(2)
    expect(() => proveKey('hangzhou', key, anchors, +END + 1000)).toThrow('revocation.stale')
    expect(() => proveKey('hangzhou', key, anchors, +BEGIN - 1000)).toThrow('revocation.not-yet')
    // What failed has left the proof of before as it was.
    expect(proveKey('hangzhou', key, anchors, NOW)).toBe(+END)
  })

  it('is for one city, and looked for anew for another', async () => {
    const key = await keyOf(await makeMember({ city: 'hangzhou', issuer }))
    const anchors = anchorsOf()
    proveKey('hangzhou', key, anchors, NOW)
    expect(() => proveKey('ningbo', key, anchors, NOW)).toThrow(/^token\.certificate.*of hangzhou, not of ningbo/)
  })

  it('is looked for again when a list comes, whatever it says', async () => {
    const key = await keyOf(await makeMember({ city: 'hangzhou', issuer }))
    const anchors = anchorsOf()
    proveKey('hangzhou', key, anchors, NOW)
    for (const crl of readCrls(await makeCrl({ issuer, number: 2, thisUpdate: BEGIN, nextUpdate: daysFromNow(2) }))) {
      anchors.crls.add(crl)
    }
    expect(proveKey('hangzhou', key, anchors, NOW)).toBe(+daysFromNow(2))
  })

  it('lasts through the grace of the rules', async () => {
    const key = await keyOf(await makeMember({ city: 'hangzhou', issuer }))
    const grace = 3_600_000
    expect(proveKey('hangzhou', key, anchorsOf(grace), +END + grace)).toBe(+END + grace)
    expect(() => proveKey('hangzhou', key, anchorsOf(grace), +END + grace + 1)).toThrow('revocation.stale')
  })

  it('is for messages: the key of a connection is none', async () => {
    const key = await keyOf(tls)
    expect(() => proveKey('hangzhou', key, anchorsOf(), NOW)).toThrow('purpose.extended-key-usage')
  })

  it('of a chain is for its purposes, and gives until when', async () => {
    const { chain } = await keyOf(await makeMember({ city: 'hangzhou', issuer }))
    expect(provePath('hangzhou', chain, anchorsOf(), NOW, [SIGNING])).toBe(+END)
    expect(() => provePath('hangzhou', chain, anchorsOf(), NOW, TRANSPORT)).toThrow('purpose.extended-key-usage')
    expect(() => provePath('hangzhou', [], anchorsOf(), NOW, [SIGNING])).toThrow('token.certificate')
  })

  it('of what was signed before is for signing, and for the city', async () => {
    const signing = await keyOf(await makeMember({ city: 'hangzhou', issuer, notAfter: daysFromNow(-0.1) }))
    const before = +daysFromNow(-0.5)
    expect(() => proveFormerKey('hangzhou', signing, anchorsOf(), before, NOW)).not.toThrow()
    const connecting = await keyOf(tls)
    expect(() => proveFormerKey('hangzhou', connecting, anchorsOf(), before, NOW)).toThrow('purpose.')
    expect(() => proveFormerKey('hangzhou', signing, anchorsOf(), +daysFromNow(-30), NOW)).toThrow('token.certificate')
  })
})

describe('a connection', () => {
  /** What node:tls shows: each certificate with its issuer, and the last one, being its own, with itself. */
  function shown([first, ...rest]: readonly Made[], own = true): Shown {
    if (first === undefined) throw new RangeError('nothing to show')
    const raw = Buffer.from(first.der)
    if (rest.length > 0) return { raw, issuerCertificate: shown(rest, own) }
    const last: { raw: Buffer; issuerCertificate?: Shown } = { raw }
    if (own) last.issuerCertificate = last
    return last
  }
  const cityOf = (what: Shown, issuers: readonly Certificate[] = [], at = NOW) =>
    provePeer(what, anchorsOf(), () => issuers, at).city(at)

  it('is of the city in the first certificate that it shows, with the issuers that follow', () => {
    expect(cityOf(shown([tls, issuer]))).toBe('hangzhou')
    expect(cityOf(shown([tls, issuer, root]))).toBe('hangzhou')
    expect(cityOf(shown([tls, issuer], false))).toBe('hangzhou')
  })

  it('may show its own certificate alone, where a member’s statement holds the issuers', () => {
    expect(cityOf(shown([tls]), [read(issuer)])).toBe('hangzhou')
    expect(cityOf(shown([tls], false), [read(root), read(issuer)])).toBe('hangzhou')
    expect(() => cityOf(shown([tls]))).toThrow('path.no-issuer')
  })

  it('is completed with the issuers of the city that its certificate names, whatever other names it bears', async () => {
    const named = await makeMember({
      city: 'hangzhou',
      kind: 'tls',
      issuer,
      dns: ['gateway.example'],
      ip: ['192.0.2.1'],
    })
    const asked: string[] = []
    const issuersOf = (city: string) => {
      asked.push(city)
      return city === 'hangzhou' ? [read(issuer)] : []
    }
    expect(provePeer(shown([named]), anchorsOf(), issuersOf, NOW).city(NOW)).toBe('hangzhou')
    expect(asked).toEqual(['hangzhou'])
  })

  it('is not of a city that stands behind another certificate', async () => {
    const stranger = await makeLeaf({ issuer: await makeRoot() })
    expect(() => cityOf(shown([stranger, tls, issuer]))).toThrow('token.certificate')
    expect(() => cityOf(shown([stranger]), [read(tls), read(issuer)])).toThrow('token.certificate')
  })

  it('is looked at for eight certificates and no further', async () => {
    const fill = (count: number) => Array.from({ length: count }, () => root)
    expect(cityOf(shown([tls, ...fill(6), issuer]))).toBe('hangzhou')
    expect(() => cityOf(shown([tls, ...fill(7), issuer]))).toThrow('path.no-issuer')
  })

  it('is for connections: a certificate for messages is none', async () => {
    expect(() => cityOf(shown([issuer, root]))).toThrow('token.certificate')
    const signing = await makeMember({ city: 'hangzhou', issuer })
    expect(() => cityOf(shown([signing, issuer]))).toThrow('purpose.extended-key-usage')
  })

  it('that shows nothing, or what cannot be read, is nobody’s', () => {
    expect(() => provePeer(JSON.parse('{}'), anchorsOf(), () => [], NOW)).toThrow('token.certificate')
    expect(() => cityOf({ raw: Buffer.from('nothing') })).toThrow()
  })

  it('that was good when it opened is asked again for every message: by the clock and by the lists', async () => {
    const anchors = anchorsOf()
    const { city } = provePeer(shown([tls, issuer]), anchors, () => [], NOW)
    expect(anchors.looked()).toBe(1)
    for (const at of [NOW, +BEGIN, +END - 1]) expect(city(at)).toBe('hangzhou')
    expect(anchors.looked()).toBe(1)
    expect(city(+END)).toBe('hangzhou')
    expect(anchors.looked()).toBe(2)
    expect(() => city(+END + 1000)).toThrow('revocation.stale')
    expect(() => city(+BEGIN - 1)).toThrow('revocation.not-yet')
    for (const crl of readCrls(await makeCrl({ issuer, number: 3, thisUpdate: BEGIN, nextUpdate: END }))) {
      anchors.crls.add(crl)
    }
    const before = anchors.looked()
    expect(city(NOW)).toBe('hangzhou')
    expect(city(NOW)).toBe('hangzhou')
    expect(anchors.looked()).toBe(before + 1)
    for (const crl of readCrls(
      await makeCrl({ issuer, number: 4, revoked: [tls], thisUpdate: BEGIN, nextUpdate: END }),
    )) {
      anchors.crls.add(crl)
    }
    expect(() => city(NOW)).toThrow('revocation.revoked')
  })
})
