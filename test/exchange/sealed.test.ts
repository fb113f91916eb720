import { createServer, type Server } from 'node:https'
import { CompactEncrypt } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '#protocol/canonical.ts'
import { Answer, Problem, RefusalMessage, types } from '#protocol/message.ts'
import { type EncryptionKey, type Kind, SEALED, seal, unseal } from '#trust/seal.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'

const sun = '91320281250344877K'
const request = { peer: 'jiangyin', subjects: [sun], purpose: 'tendering', matter: '惠招〔2026〕118号' }
const media = { 'content-type': `application/${SEALED}` }

async function keyOf(running: Running, city: string): Promise<EncryptionKey> {
  const { members } = await running.identity('huizhou')
  const [key] = members.find(city)?.encryption.values() ?? []
  if (key === undefined) throw new TypeError(`${city} publishes no encryption key`)
  return key
}

async function signed(running: Running, over: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { keys } = await running.identity('huizhou')
  return keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin', over))).token
}

/** Seals a question as the city of Huizhou and posts it. */
async function post(running: Running, token: string, to = 'jiangyin') {
  return running.post('huizhou', 'jiangyin', await seal(token, types.query, await keyOf(running, to)), media)
}

async function opened(running: Running, text: string, kind: Kind): Promise<string> {
  const { keys } = await running.identity('huizhou')
  return unseal(text, kind, keys.openers)
}

describe('under an agreement that demands confidentiality', () => {
  let running: Running
  beforeAll(async () => {
    running = await runFederation({
      peerTimeout: 700,
      edit: agreement => {
        agreement['confidential'] = true
      },
    })
  })
  afterAll(() => running[Symbol.asyncDispose]())

  it('a department asks and is answered as ever, and both ledgers keep what was signed', async () => {
    const { status, body } = await running.ask('huizhou', request)
    expect([status, body.peers[0]?.outcome]).toEqual([200, 'answered'])
    const asked = await running.gateway('huizhou').city.ledger.evidence((body.peers[0]?.entry ?? 0) - 1)
    const came = await running.gateway('huizhou').city.ledger.evidence(body.peers[0]?.entry ?? -1)
    // What was signed is brought after the entry; to close the ledger waits for it.
    await running.restart('jiangyin')
    const gave = await running.gateway('jiangyin').city.ledger.evidence(body.peers[0]?.receipt?.index ?? -1)
    expect(claimsIn(asked?.question ?? '')['iss']).toBe('huizhou')
    expect(gave?.question).toBe(asked?.question)
    expect(gave?.answer).toBe(came?.answer)
  })

  it('a question is answered sealed, bound to what was signed', async () => {
    const token = await signed(running)
    const { status, type, text } = await post(running, token)
    expect([status, type]).toEqual([200, `application/${SEALED}`])
    const answer = Answer.parse(claimsIn(await opened(running, text, types.answer)))
    expect(answer.req_hash).toBe(sha256(token.slice(0, token.lastIndexOf('.'))))
  })

  it('a refusal is sealed as well, with the status of its code', async () => {
    const { status, type, text } = await post(running, await signed(running, { purpose: 'awards' }))
    expect([status, type]).toEqual([403, `application/${SEALED}`])
    const refusal = RefusalMessage.parse(claimsIn(await opened(running, text, types.refusal)))
    expect(refusal.refusal.code).toBe('agreement.purpose')
  })

  it('a plain question is refused, under signature and in the ledger, and learns nothing else', async () => {
    const { status, type, text } = await running.post('huizhou', 'jiangyin', await signed(running))
    expect([status, type]).toEqual([403, `application/${types.refusal}`])
    const { refusal, receipt } = RefusalMessage.parse(claimsIn(text))
    expect(refusal.code).toBe('agreement.confidential')
    const entry = await running.gateway('jiangyin').city.ledger.entry(receipt.index)
    expect(entry?.entry).toMatchObject({ kind: 'refused', code: 'agreement.confidential' })
  })

  it('a question that was answered is not answered again, however it is sealed', async () => {
    const token = await signed(running)
    expect((await post(running, token)).status).toBe(200)
    expect(Problem.parse(JSON.parse((await post(running, token)).text)).code).toBe('token.replayed')
  })

  it('what is sealed for another city, or holds claims without a signature, is refused and nothing is recorded', async () => {
    const { ledger } = running.gateway('jiangyin').city
    const before = await ledger.count()
    const { kid, key } = await keyOf(running, 'jiangyin')
    const bare = await new CompactEncrypt(Buffer.from(JSON.stringify(running.claims('huizhou', 'jiangyin'))))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid, cty: types.query, typ: SEALED })
      .encrypt(key)
    for (const response of [
      await post(running, await signed(running), 'huizhou'),
      await running.post('huizhou', 'jiangyin', bare, media),
    ]) {
      expect(response.status).toBe(401)
      expect(Problem.parse(JSON.parse(response.text)).code).toBe('token.sealed')
    }
    expect(await ledger.count()).toBe(before)
  })

  it.each([
    ['a plain question as a sealed one', media, 'form.compact'],
    ['a sealed question as a plain one', {}, 'form.compact'],
  ])('%s is refused', async (_, headers, code) => {
    const token = await signed(running)
    const text = headers === media ? token : await seal(token, types.query, await keyOf(running, 'jiangyin'))
    const response = await running.post('huizhou', 'jiangyin', text, headers)
    expect(Problem.parse(JSON.parse(response.text)).code).toBe(code)
  })

  describe('a peer that', () => {
    let server: Server | undefined
    afterEach(async () => {
      server?.closeAllConnections()
      await new Promise(resolve => (server === undefined ? resolve(undefined) : server.close(resolve)))
      server = undefined
    })
    afterAll(() => running.start('jiangyin'))

    type Said = { readonly status: number; readonly type: string; readonly body: string }

    /** Stands in the place of Jiangyin, with its address and its keys, opens the question and says something. */
    async function impostor(behave: (question: string, sign: (kind: Kind, claims: object) => string) => Promise<Said>) {
      const { keys } = await running.identity('jiangyin')
      await running.stop('jiangyin')
      const { peersListen } = running.federation.city('jiangyin').settings
      const listening = Promise.withResolvers<void>()
      server = createServer({ key: keys.transport.keyPem, cert: keys.transport.pem }, (incoming, outgoing) => {
        let text = ''
        incoming.setEncoding('latin1').on('data', chunk => (text += chunk))
        incoming.on('end', async () => {
          const question = await unseal(text, types.query, keys.openers)
          const sign = (kind: Kind, claims: object) => keys.signer(kind, JSON.stringify(claims)).token
          const { status, type, body } = await behave(question, sign)
          outgoing.writeHead(status, { 'content-type': type })
          outgoing.end(body)
        })
      })
      server.listen(peersListen.port, peersListen.host, () => listening.resolve())
      await listening.promise
    }

    const refusalTo = (question: string) => {
      const { jti } = claimsIn(question)
      const receipt = { index: 0, leaf: 'A'.repeat(43), link: 'A'.repeat(43), at: '2026-11-22T00:00:00.000Z' }
      const bound = { jti, req_jti: jti, req_hash: sha256(question.slice(0, question.lastIndexOf('.'))) }
      const refusal = { code: 'load.rate', zh: '超出', en: 'Too many.' }
      return { iss: 'jiangyin', aud: 'huizhou', iat: Math.floor(Date.now() / 1000), ...bound, refusal, receipt }
    }
    const sealing = async (token: string, kind: Kind) => seal(token, kind, await keyOf(running, 'huizhou'))
    async function outcome() {
      const { body } = await running.ask('huizhou', request)
      return [body.peers[0]?.outcome, body.peers[0]?.reason?.code]
    }

    it('refuses sealed is believed', async () => {
      await impostor(async (question, sign) => ({
        status: 429,
        type: `application/${SEALED}`,
        body: await sealing(sign(types.refusal, refusalTo(question)), types.refusal),
      }))
      expect(await outcome()).toEqual(['refused', 'load.rate'])
    })

    it('refuses in plain is not believed', async () => {
      await impostor(async (question, sign) => ({
        status: 429,
        type: `application/${types.refusal}`,
        body: sign(types.refusal, refusalTo(question)),
      }))
      expect(await outcome()).toEqual(['unknown', 'peer.answer'])
    })

    it('sends back the question that was sealed for it is not believed', async () => {
      await impostor(async question => ({
        status: 200,
        type: `application/${SEALED}`,
        body: await sealing(question, types.answer),
      }))
      expect(await outcome()).toEqual(['unknown', 'peer.answer'])
    })

    it('seals claims without a signature is not believed', async () => {
      await impostor(async question => ({
        status: 429,
        type: `application/${SEALED}`,
        body: await sealing(JSON.stringify(refusalTo(question)), types.refusal),
      }))
      expect(await outcome()).toEqual(['unknown', 'peer.answer'])
    })
  })
})

describe('under an agreement that does not demand it', () => {
  it('a sealed question is refused, sealed', async () => {
    await using running = await runFederation()
    const { status, type, text } = await post(running, await signed(running))
    expect([status, type]).toEqual([403, `application/${SEALED}`])
    const message = RefusalMessage.parse(claimsIn(await opened(running, text, types.refusal)))
    expect(message.refusal.code).toBe('agreement.confidential')
  })
})
