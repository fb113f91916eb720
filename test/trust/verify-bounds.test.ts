/** To the second: which times of a question and of an answer hold, what binds an answer, and what is asked of whom on the way. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digest, sha256 } from '#protocol/canonical.ts'
import { type Query, types } from '#protocol/message.ts'
import { Refusal, refuse } from '#protocol/refusal.ts'
import { type Keys, readKeys } from '#trust/keys.ts'
import { type Members, readMembers } from '#trust/members.ts'
import { newEncryptionKey, readEncryptionJwk, seal } from '#trust/seal.ts'
import { type Asked, type Verifier, verify, verifyAnswer, verifyRefusal } from '#trust/verify.ts'
import { makeFederation } from '../../src/federation.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-bounds-'))
/** Whole seconds, so that a bound is met exactly. */
const NOW = Math.floor(Date.now() / 1000)
let members: Members
let huizhou: Keys
let jiangyin: Keys
beforeAll(async () => {
  const federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  const { config, certs } = federation.office
  const clock = () => NOW * 1000
  const read = await readMembers({ config, certs }, clock, [])
  if (read === undefined) throw new Error('no members')
  members = read
  const keysOf = async (city: string) => {
    const keys = await readKeys(federation.city(city).settings, city, read, NOW * 1000, [])
    if (keys === undefined) throw new Error('no keys')
    return keys
  }
  huizhou = await keysOf('huizhou')
  jiangyin = await keysOf('jiangyin')
})
afterAll(() => rmSync(folder, { recursive: true }))

const us = (id: string, over: Partial<Verifier> = {}): Verifier => ({
  id,
  members,
  openers: () => new Map(),
  now: () => NOW * 1000,
  seen: () => false,
  acquaint: async () => undefined,
  ...over,
})

/** A UUID version 7 (RFC 9562 section 5.7) made at this instant, epoch milliseconds. */
function madeAt(milliseconds: number): string {
  const hex = milliseconds.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`
}

function question(over: Partial<Query> = {}): Query {
  const { iat = NOW } = over
  return {
    iss: 'huizhou',
    aud: 'jiangyin',
    iat,
    nbf: iat,
    exp: iat + 60,
    jti: madeAt(iat * 1000),
    agreement: { id: 'jiangyin-huizhou-2026', digest: digest({}) },
    purpose: 'tendering',
    matter: '惠公易〔2026〕7号',
    subjects: ['91320281250344877K'],
    want: [{ family: 'licence' }],
    ...over,
  }
}

const signed = (claims: Query) => huizhou.signer(types.query, JSON.stringify(claims))

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'taken'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

const judge = (over: Partial<Query>, with_: Partial<Verifier> = {}) =>
  outcome(verify({ token: signed(question(over)).token, sealed: false, city: 'huizhou' }, us('jiangyin', with_)))

/** `iat`, `nbf` and `exp` in seconds from now. */
const times = (iat: number, nbf: number, exp: number) => ({ iat: NOW + iat, nbf: NOW + nbf, exp: NOW + exp })

describe('the times of a question', () => {
  it.each([
    ['that ended ten seconds ago, and no longer', times(-60, -60, -9), 'taken'],
    ['that ended ten seconds ago', times(-60, -60, -10), 'token.expired'],
    ['made ten seconds ahead of us', times(10, 10, 60), 'taken'],
    ['made eleven seconds ahead of us', times(11, 11, 60), 'token.future'],
    ['made eleven seconds ahead of us, though it should hold before', times(11, 0, 60), 'token.future'],
    ['that holds from eleven seconds ahead of us', times(0, 11, 60), 'token.future'],
    ['that lives three hundred seconds', times(-200, -200, 100), 'taken'],
    ['that lives one second more', times(-200, -200, 101), 'token.window'],
    ['that lives one second', times(0, 0, 1), 'taken'],
    ['that lives none', times(0, 0, 0), 'token.window'],
    ['that ended before it was made', times(5, 0, 4), 'token.window'],
    ['that holds before it was made', times(0, -1, 60), 'token.window'],
    ['that holds from its end', times(0, 5, 5), 'taken'],
    ['that holds from after its end', times(0, 6, 5), 'token.window'],
  ] as const)('%s', async (_, over, code) => {
    expect(await judge(over)).toBe(code)
  })

  it('are within the skew and the lifetime, and in their order, or the question is refused: whatever they are', async () => {
    const around = fc.integer({ min: -330, max: 330 })
    await fc.assert(
      fc.asyncProperty(around, around, around, async (iat, nbf, exp) => {
        const good = exp > -10 && iat <= 10 && nbf <= 10 && iat <= nbf && nbf <= exp && iat < exp && exp - iat <= 300
        expect((await judge(times(iat, nbf, exp))) === 'taken').toBe(good)
      }),
      { numRuns: 150 },
    )
  })

  it.each([
    [-300_000, 'taken'],
    [-300_001, 'token.claims'],
    [300_000, 'taken'],
    [300_001, 'token.claims'],
    [-86_400_000 * 365, 'token.claims'],
  ])('and the time in its jti are %i ms apart', async (apart, code) => {
    expect(await judge({ jti: madeAt(NOW * 1000 + apart) })).toBe(code)
  })
})

describe('replay', () => {
  it('is asked of the ledger by issuer and jti', async () => {
    const asked: (readonly string[])[] = []
    const seen = (...one: readonly string[]) => asked.push(one) > 1
    expect(await judge({}, { seen })).toBe('taken')
    expect(await judge({}, { seen })).toBe('token.replayed')
    expect(asked).toEqual([
      ['huizhou', question().jti],
      ['huizhou', question().jti],
    ])
  })

  it('is asked last: no message that is refused for another reason reaches the ledger', async () => {
    let asked = 0
    const seen = () => {
      asked++
      return true
    }
    for (const over of [
      times(-60, -60, -10),
      times(11, 11, 60),
      times(0, 0, 301),
      { jti: madeAt(0) },
      { aud: 'huizhou' },
    ]) {
      expect(await judge(over, { seen })).not.toBe('token.replayed')
    }
    expect(asked).toBe(0)
  })
})

describe('what verification gives', () => {
  it('is what was signed, by whom, and the hash that an answer is bound to', async () => {
    const claims = question()
    const { token, signingInput } = signed(claims)
    const verified = await verify({ token, sealed: false, city: 'huizhou' }, us('jiangyin'))
    expect(verified).toEqual({
      claims,
      member: members.find('huizhou'),
      token,
      sealed: false,
      hash: sha256(signingInput),
    })
  })

  it('of a sealed message is the signed one inside, and that it was sealed', async () => {
    const { jwk } = newEncryptionKey()
    const { token } = signed(question())
    const [openers] = [jiangyin.openers]
    const [opener] = openers.values()
    const [key] = members.find('jiangyin')?.encryption.values() ?? []
    if (key === undefined || opener === undefined) throw new Error('no encryption key')
    const open = us('jiangyin', { openers: () => openers })
    const sealed = await seal(token, types.query, key)
    expect(await verify({ token: sealed, sealed: true, city: 'huizhou' }, open)).toMatchObject({ token, sealed: true })
    const elsewhere = await seal(token, types.query, readEncryptionJwk(jwk))
    expect(await outcome(verify({ token: elsewhere, sealed: true, city: 'huizhou' }, open))).toBe('token.sealed')
  })
})

describe('an answer and a refusal', () => {
  const hash = sha256('the question')
  const jti = madeAt(NOW * 1000)
  const asked: Asked = { jti, hash, peer: 'jiangyin', sealed: false }
  const claims = (over: Readonly<Record<string, unknown>>) => ({
    iss: 'jiangyin',
    aud: 'huizhou',
    iat: NOW,
    jti: madeAt(NOW * 1000),
    req_jti: jti,
    req_hash: hash,
    receipt: { index: 0, leaf: hash, link: hash, at: new Date(NOW * 1000).toISOString() },
    ...over,
  })
  const body = {
    agreement: { id: 'a', digest: hash },
    purpose: 'tendering',
    withheld: [],
    freshness: [],
    results: [{ status: 'unknown', records: [] }],
  }
  const kinds = {
    answer: (over: Readonly<Record<string, unknown>>, from: Asked) =>
      verifyAnswer(
        jiangyin.signer(types.answer, JSON.stringify({ ...claims(over), answer: body })).token,
        from,
        us('huizhou'),
      ),
    refusal: (over: Readonly<Record<string, unknown>>, from: Asked) => {
      const { code, zh, en } = refuse('agreement.unknown').public
      const payload = JSON.stringify({ ...claims(over), refusal: { code, zh, en } })
      return verifyRefusal(jiangyin.signer(types.refusal, payload).token, from, us('huizhou'))
    },
  }
  const each = Object.entries(kinds)

  it.each(each)('(%s) is taken where it answers our question, now', async (_, take) => {
    expect((await take({}, asked)).claims).toMatchObject({ req_jti: jti, req_hash: hash })
  })

  it.each(each)('(%s) to another question is refused: by its id, by its hash, by the city asked', async (_, take) => {
    expect(await outcome(take({}, { ...asked, jti: madeAt(0) }))).toBe('peer.answer')
    expect(await outcome(take({}, { ...asked, hash: sha256('another') }))).toBe('peer.answer')
    expect(await outcome(take({}, { ...asked, peer: 'huizhou' }))).toBe('token.transport')
    expect(await outcome(take({}, { ...asked, sealed: true }))).toBe('form.compact')
  })

  it.each(each.flatMap(([name, take]) => [10, 11, -300, -301].map(apart => [name, apart, take] as const)))(
    '(%s) was made now, and not %i seconds from now unless the clocks allow it',
    async (_, apart, take) => {
      const allowed = apart === 10 || apart === -300
      expect(await outcome(take({ iat: NOW + apart }, asked))).toBe(allowed ? 'taken' : 'peer.answer')
    },
  )
})

describe('a key', () => {
  it('is believed while its certificate holds, and not a day longer', async () => {
    const days = (count: number) => {
      const later = NOW + count * 86_400
      return judge({ iat: later, nbf: later, exp: later + 60, jti: madeAt(later * 1000) }, { now: () => later * 1000 })
    }
    expect(await days(0)).toBe('taken')
    expect(await days(29)).toBe('taken')
    expect(await days(31)).toBe('token.certificate')
  })
})

describe('a key that is not known', () => {
  /** As the members are until their city is asked: without its signing keys. */
  const without = (until: () => boolean): Members => ({
    ...members,
    anchors: members.anchors,
    find: id => {
      const member = members.find(id)
      return member === undefined || until() ? member : { ...member, keys: new Map() }
    },
  })

  it('is asked for once, at its own city, and then taken', async () => {
    const asked: string[] = []
    const acquaint = async (city: string) => {
      asked.push(city)
    }
    expect(await judge({}, { members: without(() => asked.length > 0), acquaint })).toBe('taken')
    expect(asked).toEqual(['huizhou'])
  })

  it('and that the city does not publish either proves nothing', async () => {
    expect(await judge({}, { members: without(() => false) })).toBe('token.signature')
  })

  it('of a city that has just left proves nothing', async () => {
    let left = false
    const gone: Members = {
      ...without(() => false),
      find: id => (left ? undefined : without(() => false).find(id)),
    }
    const acquaint = async () => {
      left = true
    }
    expect(await judge({}, { members: gone, acquaint })).toBe('token.signature')
  })

  it('is not asked for where the key is known, or the issuer is none', async () => {
    const acquaint = async () => {
      throw new Error('asked')
    }
    expect(await judge({}, { acquaint })).toBe('taken')
    expect(await judge({ iss: 'atlantis' }, { acquaint })).toBe('token.issuer')
  })
})
