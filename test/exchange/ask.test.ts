import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '#protocol/canonical.ts'
import { types } from '#protocol/message.ts'
import { issueKey, withdrawKey } from '#trust/departments.ts'
import { claimsIn, type Running, runFederation } from '../federation.ts'

let running: Running
beforeAll(async () => {
  running = await runFederation({ peerTimeout: 700 })
})
afterAll(() => running[Symbol.asyncDispose]())

const [sun, textile] = ['91320281250344877K', '91320281XXXXXX0197']
const request = { peer: 'jiangyin', subjects: [sun], purpose: 'tendering', matter: '惠招〔2026〕118号' }

describe('a department', () => {
  it('asks its own gateway and has the answer in its own city’s words, the original beside it', async () => {
    const { status, body } = await running.ask('huizhou', request)
    expect(status).toBe(200)
    const [peer] = body.peers
    expect(peer).toMatchObject({ peer: 'jiangyin', outcome: 'answered', agreement: 'jiangyin-huizhou-2026' })
    const [record] = peer?.results[0]?.records ?? []
    expect(record?.local).toMatchObject({
      columns: { XK_XDR_MC: '江苏阳光集团有限公司', XK_XKLB: '普通' },
      labels: { XK_XKLB: '许可类别' },
    })
    expect(record?.shared.fields['kind']).toMatchObject({ original: '普通' })
    expect(body.schema.assumed).toBe(true)
  })

  it('has a fine in its own unit: yuan there, 10,000 yuan here', async () => {
    const { body } = await running.ask('huizhou', { ...request, subjects: [textile], want: [{ family: 'penalty' }] })
    const records = body.peers[0]?.results[0]?.records ?? []
    const fined = records.find(({ shared }) => typeof shared.fields['fine'] === 'object')
    expect(fined?.shared.fields['fine']).toEqual({ amount: '50000', currency: 'CNY', unit: '1' })
    expect(fined?.local.columns['CF_NR_FK']).toBe('5')
  })

  it('asks in the other direction as well', async () => {
    const { body } = await running.ask('jiangyin', { ...request, peer: 'huizhou', subjects: ['91441300195971850Y'] })
    expect(body.peers[0]?.results[0]?.records[0]?.local.columns['XZXDRMC']).toBe('TCL科技集团股份有限公司')
  })

  it('asks all peers and has what came, peer by peer', async () => {
    const { body } = await running.ask('huizhou', { ...request, peer: '*' })
    expect(body.peers.map(({ peer }) => peer)).toEqual(['jiangyin'])
  })

  it('has the intent and the outcome of its question in its own ledger, with the peer’s receipt', async () => {
    const { ledger } = running.gateway('huizhou').city
    const from = await ledger.count()
    const { body } = await running.ask('huizhou', request)
    const [asked, outcome] = await ledger.entries({ from, limit: 2 })
    expect(asked?.entry).toMatchObject({ kind: 'asked', department: 'demo', subjects: [sun] })
    expect(outcome?.entry).toMatchObject({ kind: 'outcome', outcome: 'answered', receipt: body.peers[0]?.receipt })
    expect(body.peers[0]?.entry).toBe(outcome?.receipt.index)
    const evidence = await ledger.evidence(outcome?.receipt.index ?? -1)
    expect(claimsIn(evidence?.answer ?? '')['iss']).toBe('jiangyin')
  })

  it('has an identity number refused at home: nothing is sent, and no part of it is kept', async () => {
    const { ledger } = running.gateway('huizhou').city
    const from = await ledger.count()
    const person = '11010519491231002X'
    const { status, body } = await running.ask('huizhou', { ...request, subjects: [person] })
    expect([status, body.code]).toEqual([403, 'subject.person'])
    const entries = await ledger.entries({ from, limit: 10 })
    expect(entries.map(({ entry }) => entry)).toMatchObject([
      { kind: 'declined', subjects: ['refused'], code: 'subject.person' },
    ])
    expect(JSON.stringify(entries)).not.toContain(person)
  })

  it('has one bad subject of a batch refused in its place and the others answered in theirs', async () => {
    const { body } = await running.ask('huizhou', {
      ...request,
      subjects: ['nonsense', sun, '11010519491231002X', textile],
    })
    expect(body.peers[0]?.results.map(({ status, subject, reason }) => [status, subject, reason?.code])).toEqual([
      ['refused', undefined, 'subject.malformed'],
      ['answered', sun, undefined],
      ['refused', undefined, 'subject.person'],
      ['answered', textile, undefined],
    ])
  })

  it.each([
    ['for a purpose that was not agreed', { purpose: 'awards' }, 403, 'agreement.purpose'],
    ['for a purpose of no vocabulary', { purpose: 'curiosity' }, 403, 'department.purpose'],
    ['of a city that is no member', { peer: 'atlantis' }, 404, 'peer.unknown'],
    ['of its own city', { peer: 'huizhou' }, 404, 'peer.unknown'],
    ['about 101 subjects', { subjects: Array.from({ length: 101 }, () => sun) }, 400, 'request.form'],
    ['about nothing', { subjects: [] }, 400, 'request.form'],
    ['without a matter', { matter: undefined }, 400, 'request.form'],
    ['with a matter that names a person', { matter: '身份证11010519491231002X' }, 400, 'query.matter'],
    ['for a field of no vocabulary', { want: [{ family: 'licence', fields: ['shoeSize'] }] }, 400, 'query.want'],
  ])('that asks %s is told why', async (_, over, status, code) => {
    const response = await running.ask('huizhou', { ...request, ...over })
    expect([response.status, response.body.code]).toEqual([status, code])
  })

  it('without a key, with a wrong or a withdrawn key, or one for another purpose, may not ask', async () => {
    const file = join(running.federation.city('huizhou').settings.data, 'departments.json')
    const narrow = issueKey(
      file,
      { id: 'narrow', name: '市审批局', purposes: ['licence-approval'], days: 1 },
      Date.now(),
    )
    const late = issueKey(
      file,
      { id: 'late', name: '市审批局', purposes: ['tendering'], days: 1 },
      Date.now() - 2 * 86_400_000,
    )
    const gone = issueKey(file, { id: 'gone', name: '市审批局', purposes: ['tendering'], days: 1 }, Date.now())
    expect((await running.ask('huizhou', request, gone)).status).toBe(200)
    withdrawKey(file, 'gone')
    const codes = []
    for (const key of [
      '',
      'xq_demo_wrong',
      `${narrow.slice(0, -1)}${narrow.endsWith('A') ? 'B' : 'A'}`,
      gone,
      late,
      narrow,
    ]) {
      codes.push((await running.ask('huizhou', request, key)).body.code)
    }
    expect(codes).toEqual([...Array.from({ length: 5 }, () => 'department.key'), 'department.purpose'])
  })
})

describe('a peer that', () => {
  let server: Server | undefined
  afterEach(async () => {
    server?.closeAllConnections()
    await new Promise(resolve => (server === undefined ? resolve(undefined) : server.close(resolve)))
    server = undefined
  })

  type Behaviour = (
    question: Record<string, unknown>,
    hash: string,
  ) => Promise<{ status?: number; type: string; body: string } | undefined>

  /** Stands in the place of Jiangyin, with its address and its keys, and behaves as told. */
  async function impostor(behave: Behaviour) {
    await running.stop('jiangyin')
    const { keys } = await running.identity('jiangyin')
    const { peersListen } = running.federation.city('jiangyin').settings
    const listening = Promise.withResolvers<void>()
    server = createServer({ key: keys.transport.keyPem, cert: keys.transport.pem }, (incoming, outgoing) => {
      let text = ''
      incoming.setEncoding('latin1').on('data', chunk => (text += chunk))
      incoming.on('end', async () => {
        // Who compares logs asks as well, in a run that lasts.
        if (incoming.url !== '/query') {
          outgoing.writeHead(404).end()
          return
        }
        const hash = sha256(text.slice(0, text.lastIndexOf('.')))
        const said = await behave(claimsIn(text), hash)
        if (said === undefined) return
        outgoing.writeHead(said.status ?? 200, { 'content-type': said.type })
        outgoing.end(said.body)
      })
    })
    server.listen(peersListen.port, peersListen.host, () => listening.resolve())
    await listening.promise
    return keys
  }

  const wanted = (question: Record<string, unknown>) =>
    (Array.isArray(question['want']) ? question['want'] : []).map(({ family }) => String(family))
  const receipt = { index: 0, leaf: 'A'.repeat(43), link: 'A'.repeat(43), at: '2026-11-22T00:00:00.000Z' }
  function answerFor(
    question: Record<string, unknown>,
    hash: string,
    over: Record<string, unknown> = {},
    body: Record<string, unknown> = {},
  ) {
    return {
      iss: 'jiangyin',
      aud: 'huizhou',
      iat: Math.floor(Date.now() / 1000),
      jti: question['jti'],
      req_jti: question['jti'],
      req_hash: hash,
      answer: {
        agreement: question['agreement'],
        purpose: question['purpose'],
        withheld: [],
        freshness: wanted(question).map(family => ({ family, status: 'fresh' })),
        results: [{ subject: sun, status: 'answered', records: [] }],
        ...body,
      },
      receipt,
      ...over,
    }
  }

  async function outcome() {
    const { status, body } = await running.ask('huizhou', request)
    expect(status).toBe(200)
    const [peer] = body.peers
    // Whatever went wrong, it is never an empty list that could be read as a clean record.
    if (peer?.outcome !== 'answered')
      expect(peer?.results).toMatchObject([{ subject: sun, status: 'unknown', records: [] }])
    return [peer?.outcome, peer?.reason?.code]
  }

  it('answers well is believed', async () => {
    const keys = await impostor(async (question, hash) => ({
      type: `application/${types.answer}`,
      body: keys.signer(types.answer, JSON.stringify(answerFor(question, hash))).token,
    }))
    expect(await outcome()).toEqual(['answered', undefined])
  })

  const record = { id: '1', family: 'licence', fields: { number: '1' } }
  const results = (over: object) => ({ results: [{ subject: sun, status: 'answered', records: [], ...over }] })
  it.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    ['answers another question', { req_jti: '01a20132-2522-7f35-83ee-7b82f9b98e86' }, {}, 'peer.answer'],
    ['binds its answer to another text', { req_hash: 'A'.repeat(43) }, {}, 'peer.answer'],
    ['answers to another city', { aud: 'jiangyin' }, {}, 'peer.answer'],
    ['dates its answer an hour ago', { iat: Math.floor(Date.now() / 1000) - 3600 }, {}, 'peer.answer'],
    ['gives no receipt', { receipt: undefined }, {}, 'peer.answer'],
    ['answers under another agreement', {}, { agreement: { id: 'other', digest: 'A'.repeat(43) } }, 'peer.answer'],
    ['answers for another purpose', {}, { purpose: 'awards' }, 'peer.answer'],
    ['answers about another enterprise', {}, results({ subject: textile }), 'peer.overdisclosed'],
    [
      'answers about more enterprises than were asked for',
      {},
      { results: [sun, textile].map(subject => ({ subject, status: 'answered', records: [] })) },
      'peer.overdisclosed',
    ],
    [
      'discloses a field outside the agreement',
      {},
      results({ records: [{ ...record, fields: { number: '1', remark: '内部' } }] }),
      'peer.overdisclosed',
    ],
    [
      'discloses a list outside the agreement',
      {},
      results({
        records: [{ id: '1', family: 'list', fields: { type: { code: 'computed-black', original: '系统' } } }],
      }),
      'peer.overdisclosed',
    ],
    [
      'does not say which list it discloses',
      {},
      results({ records: [{ id: '1', family: 'list', fields: { reason: '某' } }] }),
      'peer.overdisclosed',
    ],
    [
      'discloses a family outside the vocabulary',
      {},
      results({ records: [{ id: '1', family: 'gossip', fields: {} }] }),
      'peer.overdisclosed',
    ],
  ])('%s is not believed', async (_, over, body, code) => {
    const keys = await impostor(async (question, hash) => ({
      type: `application/${types.answer}`,
      body: keys.signer(types.answer, JSON.stringify(answerFor(question, hash, over, body))).token,
    }))
    expect(await outcome()).toEqual(['unknown', code])
  })

  it('signs with a key that is not its own is not believed', async () => {
    const { keys } = await running.identity('huizhou')
    await impostor(async (question, hash) => ({
      type: `application/${types.answer}`,
      body: keys.signer(types.answer, JSON.stringify(answerFor(question, hash))).token,
    }))
    expect(await outcome()).toEqual(['unknown', 'peer.answer'])
  })

  it.each([
    ['answers nonsense', { type: `application/${types.answer}`, body: 'nonsense' }, 'peer.answer'],
    ['answers a web page', { type: 'text/html', body: '<h1>502</h1>' }, 'peer.answer'],
    ['sends us elsewhere', { status: 302, type: 'text/plain', body: '' }, 'peer.answer'],
    [
      'tells a plain problem',
      {
        status: 401,
        type: 'application/problem+json',
        body: '{"type":"about:blank","title":"","status":401,"detail":"","code":"token.expired","zh":""}',
      },
      'peer.refused',
    ],
    ['answers more than we read', { type: `application/${types.answer}`, body: 'a'.repeat(9_000_000) }, 'peer.answer'],
  ])('%s is unknown', async (_, said, code) => {
    await impostor(async () => said)
    expect(await outcome()).toEqual(['unknown', code])
  })

  it('says nothing at all is unknown, after the time that we give it', async () => {
    await impostor(async () => undefined)
    expect(await outcome()).toEqual(['unknown', 'peer.slow'])
  })

  it('is not there is unknown', async () => {
    await running.stop('jiangyin')
    expect(await outcome()).toEqual(['unknown', 'peer.unreachable'])
  })

  it('shows the certificate of another city is not spoken to', async () => {
    await running.stop('jiangyin')
    const { keys } = await running.identity('huizhou')
    const { peersListen } = running.federation.city('jiangyin').settings
    const listening = Promise.withResolvers<void>()
    let reached = false
    server = createServer({ key: keys.transport.keyPem, cert: keys.transport.pem }, (_, outgoing) => {
      reached = true
      outgoing.end()
    })
    server.listen(peersListen.port, peersListen.host, () => listening.resolve())
    await listening.promise
    expect(await outcome()).toEqual(['unknown', 'peer.unreachable'])
    expect(reached).toBe(false)
  })

  it('refuses under signature is told as refused, with its reason', async () => {
    const keys = await impostor(async (question, hash) => {
      const { answer: _, ...bound } = answerFor(question, hash)
      const refusal = { code: 'load.rate', zh: '超出', en: 'Too many.' }
      return {
        status: 429,
        type: `application/${types.refusal}`,
        body: keys.signer(types.refusal, JSON.stringify({ ...bound, refusal })).token,
      }
    })
    expect(await outcome()).toEqual(['refused', 'load.rate'])
  })

  it('comes back is asked again', async () => {
    await running.start('jiangyin')
    expect(await outcome()).toEqual(['answered', undefined])
  })
})
