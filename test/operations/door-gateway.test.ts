/** Before a running gateway: a flood, and a stolen transport key that is used without a signing key, cost those who were here before nothing. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { types } from '#protocol/message.ts'
import { callerTls } from '../../src/federation.ts'
import { clientAuth, type Made, makeLeaf } from '../certificates.ts'
import { type Running, runFederation } from '../federation.ts'

let running: Running
let proxy: Made
const folder = mkdtempSync(join(tmpdir(), 'door-'))
beforeAll(async () => {
  proxy = await makeLeaf({ subject: 'CN=Our proxy', dns: ['proxy'], purposes: [clientAuth] })
  const proxyCertificate = join(folder, 'proxy.pem')
  writeFileSync(proxyCertificate, proxy.certificate)
  running = await runFederation({
    settle: settings => (settings.city === 'jiangyin' ? { ...settings, proxyCertificate } : settings),
  })
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const port = () => Number(new URL(running.gateway('jiangyin').peersUrl).port)

async function question(over: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { keys } = await running.identity('huizhou')
  return keys.signer(types.query, JSON.stringify(running.claims('huizhou', 'jiangyin', over))).token
}

/** A token in the right form under a key that nobody has. */
async function stolen(): Promise<string> {
  const [header = '', payload, signature] = (await question()).split('.')
  const read = JSON.parse(Buffer.from(header, 'base64url').toString())
  const other = JSON.stringify({ ...read, kid: randomBytes(32).toString('base64url') })
  return `${Buffer.from(other).toString('base64url')}.${payload}.${signature}`
}

type Tls = { readonly cert: string; readonly key: string; readonly ca: string }

/** Posts from an address of its own; status, and the code of a problem. */
async function post(from: string, tls: Tls, body: string, headers: Readonly<Record<string, string>> = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; code: string | undefined }>()
  const asked = request({
    host: '127.0.0.1',
    port: port(),
    localAddress: from,
    method: 'POST',
    path: '/query',
    agent: false,
    checkServerIdentity: () => undefined,
    headers: { 'content-type': `application/${types.query}`, ...headers },
    ...tls,
  })
  asked.once('error', reject)
  asked.once('response', async response => {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    resolve({ status: response.statusCode ?? 0, code: /"code":"([a-z.-]+)"/.exec(text)?.[1] })
  })
  asked.end(body)
  return promise
}

async function huizhou(): Promise<Tls> {
  const { keys, members } = await running.identity('huizhou')
  const { cert, key, ca } = callerTls(keys, members)
  return { cert, key, ca }
}

/** A department's question over Huizhou's own gateway; what became of it. */
async function ask(): Promise<string | undefined> {
  const { body } = await running.ask('huizhou', {
    peer: 'jiangyin',
    subjects: ['91320281250344877K'],
    purpose: 'tendering',
    matter: '苏澄招〔2026〕001号',
    want: [{ family: 'licence' }],
  })
  return body.peers[0]?.outcome
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${running.gateway('jiangyin').insideUrl}/metrics`)).text()
  return Number(
    text
      .split('\n')
      .find(line => line.startsWith(`${name} `))
      ?.split(' ')[1],
  )
}

it('a flood of strangers is cut off and counted, and a known city is answered meanwhile', async () => {
  expect(await ask()).toBe('answered')
  const flood: Socket[] = []
  for (let net = 1; net <= 4; net++) {
    for (let i = 0; i < 100; i++)
      flood.push(connect({ host: '127.0.0.1', port: port(), localAddress: `127.0.2.${net}` }))
  }
  for (const socket of flood) socket.on('error', () => undefined)
  const told = await Promise.all(Array.from({ length: 20 }, ask))
  expect(new Set(told)).toEqual(new Set(['answered']))
  await expect
    .poll(() => metric('xinqiao_connections_refused_total{why="stranger-waiting"}'))
    .toBeGreaterThanOrEqual(72)
  expect(await metric('xinqiao_strangers')).toBeLessThanOrEqual(128)
  for (const socket of flood) socket.destroy()
  await expect.poll(() => metric('xinqiao_strangers')).toBe(0)
})

it('hundreds of messages under keys that nobody has are looked at 64 times and then seldom, and their city is heard from elsewhere', async () => {
  const tls = await huizhou()
  const codes = new Map<string, number>()
  const began = performance.now()
  for (let round = 0; round < 10; round++) {
    const tokens = await Promise.all(Array.from({ length: 30 }, stolen))
    const told = await Promise.all(tokens.map(token => post('127.0.0.7', tls, token)))
    for (const { code = '' } of told) codes.set(code, (codes.get(code) ?? 0) + 1)
    expect(await ask()).toBe('answered')
  }
  const seconds = Math.ceil((performance.now() - began) / 1000)
  expect([...codes.keys()].sort()).toEqual(['load.busy', 'token.signature'])
  expect(codes.get('token.signature')).toBeGreaterThanOrEqual(64)
  expect(codes.get('token.signature')).toBeLessThanOrEqual(64 + 4 * seconds)
  expect(await post('127.0.0.8', tls, await question())).toMatchObject({ status: 200 })
})

describe('the named proxy', () => {
  const named = async () => ({ cert: proxy.certificate, key: proxy.key, ca: (await huizhou()).ca })
  const header = async () => {
    const [leaf = ''] = /[^-]+(?=-----END)/.exec((await huizhou()).cert) ?? []
    return { 'client-cert': `:${leaf.replaceAll('\n', '')}:` }
  }

  it('passes on the question of a city, and is refused without its certificate', async () => {
    expect(await post('127.0.0.1', await named(), await question(), await header())).toMatchObject({ status: 200 })
    expect(await post('127.0.0.1', await named(), await question())).toEqual({ status: 401, code: 'token.transport' })
  })

  it('is the only one who may', async () => {
    expect(await post('127.0.0.1', await huizhou(), await question(), await header())).toEqual({
      status: 401,
      code: 'token.transport',
    })
  })

  it('passes on nothing in the name of another city', async () => {
    const over = { iss: 'jiangyin', aud: 'jiangyin' }
    expect(await post('127.0.0.1', await named(), await question(over), await header())).toMatchObject({ status: 401 })
  })
})
