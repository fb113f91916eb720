import { randomUUIDv7 } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { declined, NOT_KEPT } from '#exchange/entries.ts'
import { Answer, Problem, RefusalMessage, types } from '#protocol/message.ts'
import { refuse } from '#protocol/refusal.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation()
})
afterAll(() => running[Symbol.asyncDispose]())

const [sun, textile, chemical] = ['91320281250344877K', '91320281XXXXXX0197', '91320281XXXXXX0272']

async function answerTo(over: Readonly<Record<string, unknown>>) {
  const { status, type, text } = await running.query('huizhou', 'jiangyin', over)
  expect([status, type]).toEqual([200, `application/${types.answer}`])
  return Answer.parse(claimsIn(text))
}

describe('a question of a peer', () => {
  it('is answered under signature, bound to the question, with the ledger’s receipt', async () => {
    const { keys } = await running.identity('huizhou')
    const claims = running.claims('huizhou', 'jiangyin')
    const { token } = keys.signer(types.query, JSON.stringify(claims))
    const { text } = await running.post('huizhou', 'jiangyin', token)
    const answer = Answer.parse(claimsIn(text))
    const { ledger } = running.gateway('jiangyin').city
    const entry = await ledger.entry(answer.receipt.index)
    expect([answer.iss, answer.aud, answer.req_jti]).toEqual(['jiangyin', 'huizhou', claims.jti])
    expect(entry?.receipt).toEqual(answer.receipt)
    expect(entry?.entry).toMatchObject({ kind: 'answered', questionHash: answer.req_hash, jti: claims.jti })
  })

  it('about a real company’s licence brings its fields and nothing else', async () => {
    const { answer } = await answerTo({ subjects: [sun] })
    const [result] = answer.results
    expect(result).toMatchObject({ subject: sun, status: 'answered' })
    expect(new Set(result?.records.map(({ family }) => family))).toEqual(new Set(['licence']))
    expect(result?.records[0]?.fields).toMatchObject({ holder: '江苏阳光集团有限公司', authority: '江阴市水利局' })
  })

  it('answers each subject of a batch for itself, in its order', async () => {
    const person = '11010519491231002X'
    const { answer } = await answerTo({
      subjects: [sun, person, textile, '91320281250344877A', 'nonsense', '913702822647245478'],
    })
    expect(answer.results.map(({ status, rule, subject }) => [status, rule, subject])).toEqual([
      ['answered', undefined, sun],
      ['refused', 'subject.person', undefined],
      ['answered', undefined, textile],
      ['refused', 'subject.check', undefined],
      ['refused', 'subject.malformed', undefined],
      ['answered', undefined, '913702822647245478'],
    ])
    expect(JSON.stringify(answer)).not.toContain(person)
  })

  it('about a code that was really issued with another check character passes with a mark', async () => {
    const { answer } = await answerTo({ subjects: ['91350211M0000XUF46'] })
    expect(answer.results[0]).toMatchObject({ status: 'answered', doubt: 'check-character', records: [] })
  })

  it('never brings a repaired, a withdrawn or a person’s record, nor one whose publicity has ended', async () => {
    const { answer } = await answerTo({
      subjects: [textile, chemical, '91320281XXXXXX051J'],
      want: ['licence', 'penalty', 'list', 'rating'].map(family => ({ family })),
    })
    const text = JSON.stringify(answer.results)
    expect(text).not.toContain('虚构自然人')
    expect(text).not.toContain('320281190001010010')
    const penalties = answer.results[1]?.records.filter(({ family }) => family === 'penalty') ?? []
    expect(penalties.length).toBeGreaterThan(0)
    expect(answer.results[2]?.records.filter(({ family }) => family === 'penalty' || family === 'list')).toEqual([])
  })

  it('marks a record to which an objection is pending', async () => {
    const { answer } = await answerTo({ subjects: [textile], want: [{ family: 'penalty' }] })
    expect(answer.results[0]?.records.some(({ objection }) => objection)).toBe(true)
  })

  it('leaves out a field outside the agreement and names it as withheld with the rule', async () => {
    const { answer } = await answerTo({
      subjects: [textile],
      want: [{ family: 'penalty', fields: ['number', 'facts'] }],
    })
    expect(answer.results[0]?.records[0]?.fields).not.toHaveProperty('facts')
    expect(answer.withheld).toContainEqual({ family: 'penalty', fields: ['facts'], rule: 'agreement.field' })
  })

  it('of which a family is outside the agreement is answered for the others, and the family named as withheld', async () => {
    const { answer } = await answerTo({
      purpose: 'fiscal-funds',
      subjects: [textile],
      want: [{ family: 'licence' }, { family: 'rating' }],
    })
    expect(answer.results[0]?.status).toBe('answered')
  })
})

describe('a question that is verified but not to be answered', () => {
  it.each([
    ['with a purpose of no vocabulary', { purpose: 'curiosity' }, 400, 'query.purpose'],
    ['with a purpose that was not agreed', { purpose: 'awards' }, 403, 'agreement.purpose'],
    [
      'about 101 subjects',
      { subjects: Array.from({ length: 101 }, () => '91320281250344877K') },
      400,
      'query.subjects',
    ],
    [
      'for a field that is all outside the agreement',
      { want: [{ family: 'licence', fields: ['remark'] }] },
      403,
      'agreement.field',
    ],
    [
      'for a family that is not granted',
      { purpose: 'licence-approval', want: [{ family: 'penalty' }] },
      403,
      'agreement.family',
    ],
    ['for a field of no vocabulary', { want: [{ family: 'licence', fields: ['shoeSize'] }] }, 400, 'query.want'],
    ['for a family of no vocabulary', { want: [{ family: 'gossip' }] }, 400, 'query.want'],
    ['with a matter that names a person', { matter: '身份证11010519491231002X' }, 400, 'query.matter'],
    [
      'under an agreement that we do not know',
      { agreement: { id: 'other', digest: 'A'.repeat(43) } },
      403,
      'agreement.unknown',
    ],
    [
      'under another text of the agreement',
      { agreement: { id: 'jiangyin-huizhou-2026', digest: 'A'.repeat(43) } },
      403,
      'agreement.digest',
    ],
  ])('%s is refused under signature, and the refusal is in the ledger', async (_, over, status, code) => {
    const { ledger } = running.gateway('jiangyin').city
    const before = await ledger.count()
    const response = await running.query('huizhou', 'jiangyin', over)
    expect([response.status, response.type]).toEqual([status, `application/${types.refusal}`])
    const refusal = RefusalMessage.parse(claimsIn(response.text))
    expect(refusal.refusal.code).toBe(code)
    expect(await ledger.count()).toBe(before + 1)
    expect((await ledger.entry(refusal.receipt.index))?.entry).toMatchObject({ kind: 'refused', code })
  })

  it('leaves no identity number in the ledger, neither as subject, nor in the matter, nor in the evidence', async () => {
    const person = '11010519491231002X'
    const asked = await running.query('huizhou', 'jiangyin', { subjects: [person] })
    const matter = await running.query('huizhou', 'jiangyin', { matter: `案件 ${person}` })
    const { ledger } = running.gateway('jiangyin').city
    for (const { text } of [asked, matter]) {
      const { receipt } = (asked.text === text ? Answer : RefusalMessage).parse(claimsIn(text))
      expect(JSON.stringify(await ledger.entry(receipt.index))).not.toContain(person)
      expect(await ledger.evidence(receipt.index)).toBeUndefined()
    }
  })
})

describe('a matter that looks like a person’s', () => {
  it.each(['护照E12345678', '身份证1101011990O3O77758', '(138)0013-8000', '110101,19900307,7758'])(
    '%s is refused, and neither entered nor kept',
    async text => {
      const { status, text: told } = await running.query('huizhou', 'jiangyin', { matter: text })
      expect(status).toBe(400)
      const { receipt, req_hash: questionHash } = RefusalMessage.parse(claimsIn(told))
      const { ledger } = running.gateway('jiangyin').city
      const recorded = await ledger.entry(receipt.index)
      expect(recorded?.entry).toMatchObject({ code: 'query.matter', matter: '（未保存）not kept', questionHash })
      expect(await ledger.evidence(receipt.index)).toBeUndefined()
    },
  )

  it('is kept where it looks like none and the question is refused for another reason', async () => {
    const { text } = await running.query('huizhou', 'jiangyin', { purpose: 'nothing', matter: '惠招〔2026〕118号' })
    const { receipt } = RefusalMessage.parse(claimsIn(text))
    const { ledger } = running.gateway('jiangyin').city
    expect((await ledger.entry(receipt.index))?.entry).toMatchObject({ matter: '惠招〔2026〕118号' })
    expect((await ledger.evidence(receipt.index))?.question).toBeDefined()
  })

  it('is not entered where a department of ours wanted to ask it either', () => {
    const request = { peer: 'huizhou', purpose: 'tendering', matter: '护照E12345678', subjects: [sun] }
    expect(declined(request, 'demo', refuse('query.matter'), 'jiangyin', 0)).toMatchObject({ matter: NOT_KEPT })
  })
})

describe('a stranger', () => {
  const now = () => Math.floor(Date.now() / 1000)

  async function problemOf(response: { status: number; type: string; text: string }) {
    expect(response.type).toBe('application/problem+json')
    return Problem.parse(JSON.parse(response.text))
  }

  it.each([
    ['to another city', { aud: 'huizhou' }, 'token.audience'],
    ['to two cities', { aud: ['jiangyin', 'huizhou'] }, 'token.audience'],
    ['to nobody', { aud: undefined }, 'token.audience'],
    ['from nobody', { iss: undefined }, 'token.issuer'],
    ['from a city that is no member', { iss: 'atlantis' }, 'token.issuer'],
    ['from another city than that of the connection', { iss: 'jiangyin' }, 'token.transport'],
    ['that has expired', { iat: now() - 120, nbf: now() - 120, exp: now() - 60 }, 'token.expired'],
    ['from the future', { iat: now() + 60, nbf: now() + 60, exp: now() + 120 }, 'token.future'],
    ['that is valid for too long', { exp: now() + 3600 }, 'token.window'],
    ['without an end', { exp: undefined }, 'token.claims'],
    ['with a claim we do not know', { admin: true }, 'token.claims'],
    ['without subjects', { subjects: [] }, 'token.claims'],
    ['with a jti that is no UUIDv7', { jti: 'a' }, 'token.claims'],
    ['with a jti of another time', { jti: '01900000-0000-7000-8000-000000000000' }, 'token.claims'],
  ])('that sends a question %s gets a plain problem and leaves no trace in the ledger', async (_, over, code) => {
    const { ledger } = running.gateway('jiangyin').city
    const before = await ledger.count()
    const problem = await problemOf(await running.query('huizhou', 'jiangyin', over))
    expect(problem.code).toBe(code)
    expect(Object.keys(problem).sort()).toEqual(['code', 'detail', 'status', 'title', 'type', 'zh'])
    expect(await ledger.count()).toBe(before)
  })

  it('that sends the same question twice is told so, in this run and after a restart', async () => {
    const { keys } = await running.identity('huizhou')
    const { token } = keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin')))
    expect((await running.post('huizhou', 'jiangyin', token)).status).toBe(200)
    expect((await problemOf(await running.post('huizhou', 'jiangyin', token))).code).toBe('token.replayed')
    await running.restart('jiangyin')
    expect((await problemOf(await running.post('huizhou', 'jiangyin', token))).code).toBe('token.replayed')
  })

  it('that sends one question many times at once is answered once', async () => {
    const { keys } = await running.identity('huizhou')
    const { token } = keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin')))
    const responses = await Promise.all(Array.from({ length: 20 }, () => running.post('huizhou', 'jiangyin', token)))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(responses.filter(({ text }) => text.includes('token.replayed'))).toHaveLength(19)
  })

  it('that replays a question under another signature of the same key is told so', async () => {
    const { keys } = await running.identity('huizhou')
    const payload = JSON.stringify(running.claims('huizhou', 'jiangyin'))
    expect((await running.post('huizhou', 'jiangyin', keys.signer(types.query, payload).token)).status).toBe(200)
    expect(
      (await problemOf(await running.post('huizhou', 'jiangyin', keys.signer(types.query, payload).token))).code,
    ).toBe('token.replayed')
  })

  it.each([
    ['signed with the key of another member', 'jiangyin', 'huizhou', 'token.signature'],
    ['signed with a member’s key over that member’s connection', 'huizhou', 'jiangyin', 'token.transport'],
  ])('that sends a question %s is refused', async (_, signer, connection, code) => {
    const { keys } = await running.identity(signer)
    const { token } = keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin')))
    expect((await problemOf(await running.post(connection, 'jiangyin', token))).code).toBe(code)
  })

  it.each([
    ['an answer in place of a question', types.answer, 'token.type'],
    ['a refusal in place of a question', types.refusal, 'token.type'],
    ['an agreement’s signature in place of a question', 'credit-agreement+jwt', 'token.type'],
  ])('that sends %s is refused', async (_, typ, code) => {
    const { keys } = await running.identity('huizhou')
    const { token } = keys.signer(typ, JSON.stringify(running.claims('huizhou', 'jiangyin')))
    expect((await problemOf(await running.post('huizhou', 'jiangyin', token))).code).toBe(code)
  })

  it.each([
    ['no algorithm', { alg: 'none' }, 'token.algorithm'],
    ['a symmetric algorithm', { alg: 'HS256' }, 'token.algorithm'],
    ['the algorithm of another key', { alg: 'Ed25519' }, 'token.algorithm'],
    ['a key to be fetched', { jku: 'https://evil.example/jwks' }, 'token.header'],
    ['a key it brings along', { jwk: { kty: 'EC' } }, 'token.header'],
  ])('whose header names %s is refused', async (_, members, code) => {
    const { keys } = await running.identity('huizhou')
    const [header = '', payload, signature] = keys
      .signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin')))
      .token.split('.')
    const changed = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), ...members }
    const token = `${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${payload}.${signature}`
    expect((await problemOf(await running.post('huizhou', 'jiangyin', token))).code).toBe(code)
  })

  it('that says a member of the payload twice is refused, though the signature holds', async () => {
    const { keys } = await running.identity('huizhou')
    const payload = JSON.stringify(running.claims('huizhou', 'jiangyin')).replace('{', '{"purpose":"tendering",')
    expect(
      (await problemOf(await running.post('huizhou', 'jiangyin', keys.signer(types.query, payload).token))).code,
    ).toBe('form.duplicate')
  })

  it.each([
    ['a body of 10 MB', 'a'.repeat(10_000_000), 'form.size'],
    ['nothing', '', 'form.compact'],
    ['a token with padding', 'e30=.e30.e30', 'form.base64'],
    ['no token', '{"query":1}', 'form.compact'],
    ['bytes', new Uint8Array([0xff, 0x2e, 0x2e, 0x00]), 'form.base64'],
  ])('that sends %s is refused', async (_, body, code) => {
    expect((await problemOf(await running.post('huizhou', 'jiangyin', body))).code).toBe(code)
  })

  it('that sends another media type is refused', async () => {
    const response = await running.post('huizhou', 'jiangyin', 'a.b.c', { 'content-type': 'application/jwt' })
    expect((await problemOf(response)).code).toBe('form.media-type')
  })

  it('finds nothing but the one path', async () => {
    const { keys } = await running.identity('huizhou')
    expect(keys).toBeDefined()
    for (const path of ['/', '/health/ready', '/metrics', '/ask', '/openapi.json', '/query/../metrics']) {
      expect((await running.get('huizhou', 'jiangyin', path)).status).toBe(404)
    }
  })

  it('is not served at all without a certificate of the federation', async () => {
    await expect(running.anonymous('jiangyin')).rejects.toThrow()
  })

  it('has not kept the gateway from serving, whatever was sent above', async () => {
    expect((await running.query('huizhou', 'jiangyin', { jti: randomUUIDv7() })).status).toBe(200)
  })
})
