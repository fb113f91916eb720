/** What is signed says exactly what was decided, bound to its question, and reads on the other side as it was made. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonical, digest, sha256 } from '#protocol/canonical.ts'
import { AnswerBody, type Disclosure, type Durable, type Query, types } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { decode, readJws } from '#trust/jws.ts'
import { type Keys, readKeys } from '#trust/keys.ts'
import { type Members, readMembers } from '#trust/members.ts'
import { answerTo, question, refusalTo, report, sign } from '#trust/sign.ts'
import { type Asked, type Verified, type Verifier, verify, verifyAnswer, verifyRefusal } from '#trust/verify.ts'
import { makeFederation } from '../../src/federation.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-sign-'))
const NOW = Math.floor(Date.now() / 1000) * 1000 + 999
const QUESTION = '01a20132-2522-7f35-83ee-7b82f9b98e86'
let members: Members
let huizhou: Keys
let jiangyin: Keys
let claims: Query
let asked: Asked
let request: Verified<Query>

beforeAll(async () => {
  const federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'], logLevel: 'silent' })
  const { config, certs } = federation.office
  const read = await readMembers({ config, certs }, () => NOW, [])
  const keysOf = async (city: string) => {
    const keys = read && (await readKeys(federation.city(city).settings, city, read, NOW, []))
    if (keys === undefined) throw new Error('no keys')
    return keys
  }
  huizhou = await keysOf('huizhou')
  jiangyin = await keysOf('jiangyin')
  if (read === undefined) throw new Error('no members')
  members = read
  const iat = Math.floor(NOW / 1000)
  const hex = NOW.toString(16).padStart(12, '0')
  claims = {
    iss: 'huizhou',
    aud: 'jiangyin',
    iat,
    nbf: iat,
    exp: iat + 60,
    jti: `${hex.slice(0, 8)}-${hex.slice(8)}${QUESTION.slice(13)}`,
    agreement: { id: 'a-2026', digest: digest({}) },
    purpose: 'tendering',
    matter: '惠公易〔2026〕7号',
    subjects: ['91320281250344877K'],
    want: [{ family: 'licence' }],
  }
  const { token, signingInput } = sign(question(claims), huizhou.signer)
  asked = { jti: claims.jti, hash: sha256(signingInput), peer: 'jiangyin', sealed: false }
  request = await verify({ token, sealed: false, city: 'huizhou' }, us('jiangyin'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const us = (id: string): Verifier => ({
  id,
  members,
  openers: () => new Map(),
  now: () => NOW,
  seen: () => false,
  acquaint: async () => undefined,
})

const receipt = () => ({ index: 7, leaf: sha256('leaf'), link: sha256('link'), at: new Date(NOW).toISOString() })
const durable = () => receipt() as Durable
const body = AnswerBody.parse({
  agreement: { id: 'a-2026', digest: digest({}) },
  purpose: 'tendering',
  withheld: [],
  freshness: [],
  results: [{ status: 'unknown', records: [] }],
})
const disclosure = { body, text: canonical(body) } as Disclosure
const JTI = '01a20132-2522-7f35-83ee-7b82f9b98e87'

const bound = () => ({
  iss: 'jiangyin',
  aud: 'huizhou',
  iat: Math.floor(NOW / 1000),
  jti: JTI,
  req_jti: claims.jti,
  req_hash: asked.hash,
  receipt: receipt(),
})

describe('a question', () => {
  it('is the claims that it was made of, under its own type', () => {
    const outgoing = question(claims)
    expect(outgoing).toEqual({ typ: types.query, payload: JSON.stringify(claims) })
    expect(request.claims).toEqual(claims)
    const { token, signingInput } = sign(outgoing, huizhou.signer)
    expect(readJws(token, types.query).signingInput).toBe(signingInput)
  })
})

describe('an answer', () => {
  it('is read as what was disclosed, bound to its question and its entry in the ledger', async () => {
    const { token } = sign(answerTo(request, disclosure, durable(), JTI, NOW), jiangyin.signer)
    const read = await verifyAnswer(token, asked, us('huizhou'))
    expect(read.claims).toEqual({ ...bound(), answer: body })
  })

  it('holds the very text that was disclosed, and says what stands around it', () => {
    const { payload, typ, around } = answerTo(request, disclosure, durable(), JTI, NOW)
    expect(typ).toBe(types.answer)
    expect(payload).toBe(`{"answer":${disclosure.text},${JSON.stringify(bound()).slice(1)}`)
    expect(around).toEqual({ before: '{"answer":', after: `,${JSON.stringify(bound()).slice(1)}` })
  })
})

describe('a refusal', () => {
  it('is read as the public words of its code, bound in the same way, and tells nothing besides', async () => {
    const refusal = refuse('agreement.unknown', 'for our log alone')
    const outgoing = refusalTo(request, refusal, durable(), JTI, NOW)
    expect([outgoing.typ, outgoing.around]).toEqual([types.refusal, undefined])
    const { token } = sign(outgoing, jiangyin.signer)
    const read = await verifyRefusal(token, asked, us('huizhou'))
    expect(read.claims).toEqual({ ...bound(), refusal: refusal.public })
    expect(decode(readJws(token, types.refusal).payload)).not.toContain('for our log alone')
  })
})

describe('a report', () => {
  it('is its own text under a type that no message has, and no city takes it for one', async () => {
    const text = canonical({ report: '报告' })
    const outgoing = report(text, durable())
    expect([outgoing.typ, outgoing.payload]).toEqual(['credit-report+jwt', text])
    const { token } = sign(outgoing, jiangyin.signer)
    expect(decode(readJws(token, 'credit-report+jwt').payload)).toBe(text)
    await expect(verifyAnswer(token, asked, us('huizhou'))).rejects.toThrow('token.type')
  })
})
