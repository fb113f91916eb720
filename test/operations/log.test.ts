/** The log says what happened to whom of the federation, and never about which enterprise or person, in which matter, or with which key. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { digest } from '#protocol/canonical.ts'
import { types } from '#protocol/message.ts'
import { refusals } from '#protocol/refusal.ts'
import { readIdentity } from '../../src/configuration.ts'
import { callerTls, type Federation, makeFederation } from '../../src/federation.ts'
import { type Gateway, startGateway } from '../../src/gateway.ts'
import { endProcess, startProcess } from '../../src/process.ts'
import { agreementId, goodQuestion } from '../federation.ts'

const folder = mkdtempSync(join(tmpdir(), 'xinqiao-log-'))
const [sun, textile, person] = ['91320281250344877K', '91320281XXXXXX0197', '11010519491231002X']
const matter = '惠招〔2026〕不可外泄号'

let written = ''
/** Without the redaction of the real one: what is not to be seen must not even be passed. */
const log = pino(
  { level: 'trace' },
  new Writable({
    write(chunk, _, done) {
      written += String(chunk)
      done()
    },
  }),
)

let federation: Federation
const gateways: Gateway[] = []
beforeAll(async () => {
  federation = await makeFederation(folder, { cities: ['jiangyin', 'huizhou'] })
  for (const { settings } of federation.cities)
    gateways.push(await startGateway({ ...settings, peerTimeout: 500 }, log))
})
afterAll(async () => {
  for (const gateway of gateways) await gateway.close()
  rmSync(folder, { recursive: true })
})

/** Nothing of this may stand in the log, in any case of letters, escaped or not. */
function expectSilent(): void {
  const keys = federation.cities.map(({ departmentKey }) => departmentKey.slice(-40))
  const secrets = [sun, textile, person, matter, ...keys].map(each => each.toLowerCase())
  const quoting = written
    .trimEnd()
    .split('\n')
    .filter(line => {
      const said = `${line} ${JSON.stringify(JSON.parse(line))}`.toLowerCase()
      return secrets.some(secret => said.includes(secret) || said.includes(encodeURIComponent(secret).toLowerCase()))
    })
  expect(quoting).toEqual([])
}

async function ask(body: unknown, path = '/ask', key = federation.city('huizhou').departmentKey): Promise<void> {
  const { insideUrl } = gateways[0]?.city.id === 'huizhou' ? gateways[0] : (gateways[1] ?? { insideUrl: '' })
  await fetch(`${insideUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }).then(response => response.text())
}

const question = { peer: 'jiangyin', subjects: [sun, textile], purpose: 'tendering', matter }

describe('the log', () => {
  it('of what departments ask holds who and why not, and no subject, matter or key', async () => {
    for (const over of [
      {},
      { peer: '*' },
      { subjects: [sun, person, 'nonsense', `${sun}!`, textile.toLowerCase()] },
      { subjects: [person] },
      { matter: `${matter} ${person}` },
      { matter: person, subjects: [person] },
      { purpose: 'awards' },
      { purpose: person.toLowerCase() },
      { purpose: sun },
      { peer: 'atlantis' },
      { peer: sun },
      { want: [{ family: 'licence', fields: [sun] }] },
      { want: [{ family: sun }] },
      { [sun]: matter },
      { subjects: { [sun]: person } },
    ])
      await ask({ ...question, ...over })
    await ask(`{"subjects":["${sun}"],"matter":"${matter}",}`)
    await ask(`${sun} ${person}`)
    await ask(question, `/ask/${sun}?matter=${encodeURIComponent(matter)}&subject=${person}`)
    await ask(question, '/ask', `xq_demo_${sun}`)
    expect(written).toContain('"asked"')
    expect(written).toContain('query.matter')
    expect(written).toContain('department.key')
    expect(written).toContain(JSON.stringify(refusals['department.key'].hint))
    expectSilent()
  })

  it('of what peers send holds code and reason, and nothing of the message', async () => {
    const { keys, members } = await readIdentity(federation.city('huizhou').settings, Date.now, [])
    const jiangyin = gateways.find(({ city }) => city.id === 'jiangyin')
    if (keys === undefined || members === undefined || jiangyin === undefined) throw new Error('incomplete')
    const dispatcher = new Agent({
      connect: callerTls(keys, members),
    })
    const { config } = federation.city('jiangyin').settings
    const text: unknown = JSON.parse(readFileSync(join(config, 'agreements', `${agreementId}.json`), 'utf8'))
    const good = () => ({
      ...goodQuestion('huizhou', 'jiangyin', { id: agreementId, digest: digest(text) }),
      matter,
      subjects: [sun, person, textile],
    })
    const payloads = [
      JSON.stringify(good()),
      JSON.stringify({ ...good(), purpose: 'awards' }),
      JSON.stringify({ ...good(), purpose: person.toLowerCase() }),
      JSON.stringify({ ...good(), purpose: sun }),
      JSON.stringify({ ...good(), matter: `${matter} ${person}` }),
      JSON.stringify({ ...good(), agreement: { id: sun, digest: digest(text) } }),
      JSON.stringify({ ...good(), want: [{ family: sun }] }),
      JSON.stringify({ ...good(), want: [{ family: 'licence', fields: [person.toLowerCase()] }] }),
      JSON.stringify({ ...good(), [sun]: person, subjects: { [sun]: matter } }),
      JSON.stringify({ ...good(), iss: sun }),
      JSON.stringify({ ...good(), aud: sun }),
      JSON.stringify({ ...good(), jti: sun }),
      // Broken right behind what must not be seen: a parser likes to quote it.
      `{"matter":"${matter}","subjects":["${sun}",${sun}`,
      `{"${person}"`,
      `${sun}`,
      `X${sun}`,
      `{"a":${'"b",'.repeat(20)}X${person}`,
    ]
    for (const payload of payloads) {
      const { token } = keys.signer(types.query, payload)
      await post(`${jiangyin.peersUrl}/query`, token)
    }
    await post(`${jiangyin.peersUrl}/query`, `${sun}.${person}.${sun}`)
    await post(`${jiangyin.peersUrl}/${sun}?${person}`, 'a.b.c')
    await dispatcher.close()
    expect(written).toContain('"outcome":"answered"')
    expect(written).toContain('token.claims')
    expect(written).toContain('form.json')
    expectSilent()

    async function post(url: string, body: string): Promise<void> {
      const headers = { 'content-type': `application/${types.query}` }
      await (await request(url, { method: 'POST', dispatcher, headers, body })).body.dump()
    }
  })

  it.each([
    [
      'a problem that is not JSON',
      { status: 400, type: 'application/problem+json', body: `{"detail":"${sun}",${person}` },
    ],
    ['a problem of its own', { status: 400, type: 'application/problem+json', body: `{"code":"${sun}"}` }],
    ['another media type', { status: 200, type: `text/${sun}`, body: sun }],
    ['an answer that is no token', { status: 200, type: `application/${types.answer}`, body: `${sun}.e30.${person}` }],
  ])('of a peer that answers %s does not quote it', async (_, said) => {
    const at = gateways.findIndex(({ city }) => city.id === 'jiangyin')
    const { settings } = federation.city('jiangyin')
    if (at >= 0) await gateways.splice(at, 1)[0]?.close()
    const { keys } = await readIdentity(settings, Date.now, [])
    if (keys === undefined) throw new Error('no keys')
    const impostor = createServer({ key: keys.transport.keyPem, cert: keys.transport.pem }, (incoming, outgoing) => {
      incoming.resume().on('end', () => {
        outgoing.writeHead(said.status, { 'content-type': said.type, connection: 'close' })
        outgoing.end(said.body)
      })
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    impostor.listen(settings.peersListen.port, settings.peersListen.host, resolve)
    await promise
    const from = written.length
    await ask(question)
    await new Promise(resolve => impostor.close(resolve))
    expect(written.slice(from)).toContain('"peer":"jiangyin"')
    expectSilent()
  })

  it('of a process reaches its standard output within seconds, a JSON object a line, and the last of it when it ends', async () => {
    await Promise.all(gateways.splice(0).map(gateway => gateway.close()))
    const [city] = federation.cities
    if (city === undefined) throw new Error('no city')
    const file = join(folder, 'log')
    const out = openSync(file, 'w')
    const child = await startProcess({ ...city.environment, XINQIAO_LOG_LEVEL: 'info' }, out)
    closeSync(out)
    const url = `http://${city.environment['XINQIAO_INSIDE_LISTEN']}`
    const headers = { authorization: `Bearer ${city.departmentKey}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ ...question, peer: city.id === 'huizhou' ? 'jiangyin' : 'huizhou' })
    await (await fetch(`${url}/ask`, { method: 'POST', headers, body })).text()
    await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('peer.unreachable'), 10_000)
    await (await fetch(`${url}/the/last`)).text()
    await endProcess(child)
    written = readFileSync(file, 'utf8')
    expect(written).toContain('request.path')
    for (const line of written.trimEnd().split('\n')) expect(JSON.parse(line)).toMatchObject({ city: city.id })
    expectSilent()
  })
})
